import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from import_export.results import Result, RowResult
from rich.table import Table
from tablib import Dataset

from common.command_line import console, progress
from product_service.products.exchange import shopify
from product_service.products.exchange.resource import ProductResource
from product_service.products.models import validate_currency

FORMATS = ("csv", "xlsx", "shopify")
ERRORS_SHOWN = 50
OUTCOMES = {
    RowResult.IMPORT_TYPE_NEW: "new",
    RowResult.IMPORT_TYPE_UPDATE: "changed",
    RowResult.IMPORT_TYPE_SKIP: "unchanged",
}


class Command(BaseCommand):
    help = "Import products from a file: all of it, or nothing and what is wrong with which line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=FORMATS, help="default: what the file looks like")
        parser.add_argument(
            "--currency", help="of the prices, where the file does not say it (Shopify's does not)"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *, file: Path, dry_run: bool, **options: Any) -> None:
        dataset = read(file, options["format"])
        currency = options["currency"]
        if currency:
            try:
                validate_currency(currency)
            except ValidationError as error:
                raise CommandError(error.messages[0]) from error
        with progress() as bars:
            bar = bars.add_task("", total=len(dataset))
            result = ProductResource().import_data(
                dataset,
                dry_run=dry_run,
                rollback_on_validation_errors=True,
                currency=currency,
                on_row=lambda: bars.advance(bar),
            )
            bars.update(bar, completed=len(dataset), total=len(dataset))
        if problems := problems_of(result, dataset):
            self._tell_problems(problems)
            sys.exit(1)
        counts = ", ".join(f"{result.totals[kind]:,} {word}" for kind, word in OUTCOMES.items())
        self.stdout.write(f"{'Would be imported' if dry_run else 'Imported'}: {counts}.")

    def _tell_problems(self, problems: list[tuple[str, str, str]]) -> None:
        table = Table("line", "SKU", "what is wrong")
        for problem in problems[:ERRORS_SHOWN]:
            table.add_row(*problem)
        console(self.stderr).print(table)
        more = len(problems) - ERRORS_SHOWN
        if more > 0:
            self.stderr.write(f"and {more:,} more.")
        self.stderr.write("Nothing was imported. Correct the file, and import it again.")


def read(file: Path, file_format: str | None) -> Dataset:
    """The rows of a file.

    :raises CommandError: when it cannot be read as what it should be.
    """
    is_excel = file_format == "xlsx" or (file_format is None and file.suffix.lower() == ".xlsx")
    try:
        if is_excel:
            dataset = Dataset().load(file.read_bytes(), format="xlsx")
        else:
            dataset = Dataset().load(file.read_text("utf-8-sig"), format="csv")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except Exception as error:  # openpyxl, zipfile and csv have no common error
        kind = "an Excel file" if is_excel else "CSV in UTF-8"
        raise CommandError(f"{file} cannot be read as {kind}: {error}") from error
    if not dataset.headers:
        raise CommandError(f"{file} is empty.")
    if file_format == "shopify" and not shopify.is_export(dataset.headers):
        columns = ", ".join(sorted(shopify.MARKS))
        raise CommandError(f"{file} is no product export of Shopify: it must have {columns}.")
    return dataset


def problems_of(result: Result, dataset: Dataset) -> list[tuple[str, str, str]]:
    """What is wrong: line of the file, SKU, reason."""
    if result.base_errors:
        return [("", "", _text(error.error)) for error in result.base_errors]
    lines = dataset["line"] if "line" in (dataset.headers or []) else None

    def place(number: int) -> tuple[str, str]:
        line = lines[number - 1] if lines else number + 1
        return str(line), str(dataset["sku"][number - 1])

    wrong = []
    for row in result.invalid_rows:
        for field, texts in row.error_dict.items():
            name = "" if field == "__all__" else f"{field}: "
            wrong += [(row.number, f"{name}{text}") for text in texts]
    for row in result.error_rows:
        wrong += [(row.number, _text(error.error)) for error in row.errors]
    return [(*place(number), text) for number, text in sorted(wrong)]


def _text(error: Exception) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
