"""Command to import products from a file."""

import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from import_export.results import RowResult
from rich.table import Table

from eventbus.running.command_line import console, progress
from product_service.products.exchange import shopify
from product_service.products.exchange.cells import FileError, Sheet
from product_service.products.exchange.formats import CSV, XLSX
from product_service.products.exchange.resource import ImportResult, ProductResource
from product_service.products.models import validate_currency

FORMATS = ("csv", "xlsx", "shopify")
ERRORS_SHOWN = 50
OUTCOMES = {
    RowResult.IMPORT_TYPE_NEW: "new",
    RowResult.IMPORT_TYPE_UPDATE: "changed",
    RowResult.IMPORT_TYPE_SKIP: "unchanged",
}


class UnseenResource(ProductResource):
    """Skips the differences of each cell, which only the admin's preview shows."""

    class Meta:
        skip_html_diff = True


class Command(BaseCommand):
    help = "Import products from a file. If any line is wrong, import nothing and list the errors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--format", choices=FORMATS, help="file format (default: detected from the file)"
        )
        parser.add_argument(
            "--currency",
            help="currency of the prices, if the file has none (as Shopify's)",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only report what would be imported"
        )

    def handle(self, *, file: Path, dry_run: bool, **options: Any) -> None:
        _validate_currency(options["currency"])
        sheet = read(file, options["format"])
        with progress() as bars:
            bar = bars.add_task("", total=len(sheet))
            result = UnseenResource().import_data(
                sheet,
                dry_run=dry_run,
                rollback_on_validation_errors=True,
                currency=options["currency"],
                on_row=lambda: bars.advance(bar),
            )
            bars.update(bar, completed=len(sheet), total=len(sheet))
        if problems := problems_of(result):
            self._show_problems(problems)
            sys.exit(1)
        counts = ", ".join(f"{result.totals[kind]:,} {word}" for kind, word in OUTCOMES.items())
        self.stdout.write(f"{'Would be imported' if dry_run else 'Imported'}: {counts}.")
        for note in result.notes:
            self.stdout.write(note)

    def _show_problems(self, problems: list[tuple[str, str]]) -> None:
        table = Table("SKU", "problem")
        for problem in problems[:ERRORS_SHOWN]:
            table.add_row(*problem)
        console(self.stderr).print(table)
        more = len(problems) - ERRORS_SHOWN
        if more > 0:
            self.stderr.write(f"and {more:,} more.")
        self.stderr.write("Nothing was imported. Correct the file, and import it again.")


def _validate_currency(currency: str | None) -> None:
    if currency:
        try:
            validate_currency(currency)
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error


def read(file: Path, file_format: str | None) -> Sheet:
    """Read the rows of a file.

    :raises CommandError: if it cannot be read in its format.
    """
    is_excel = file_format != "csv" and file.suffix.lower() == ".xlsx"
    try:
        sheet = (XLSX if is_excel or file_format == "xlsx" else CSV)().create_dataset(
            file.read_bytes()
        )
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except FileError as error:
        raise CommandError(f"{file}: {error}") from error
    if file_format == "shopify" and not shopify.is_export(sheet.columns):
        columns = ", ".join(sorted(shopify.MARKS))
        raise CommandError(
            f"{file} is not a Shopify product export: it must have the columns {columns}."
        )
    return sheet


def problems_of(result: ImportResult) -> list[tuple[str, str]]:
    """The SKU and the description of each problem."""
    if result.base_errors:
        return [("", str(error.error)) for error in result.base_errors]
    wrong = [(problem.sku, str(problem)) for problem in result.problems]
    for row in result.error_rows:
        wrong += [("", f"Row {row.number}: {error.error}") for error in row.errors]
    return wrong
