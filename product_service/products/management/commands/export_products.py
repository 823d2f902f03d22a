import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from product_service.products.exchange.cells import FileError
from product_service.products.exchange.formats import CSV, XLSX
from product_service.products.exchange.resource import ProductResource
from product_service.products.models import Product

FORMATS: dict[str, type[CSV] | type[XLSX]] = {"csv": CSV, "xlsx": XLSX}


class Command(BaseCommand):
    help = "Export all products in a format that import_products accepts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--format", choices=FORMATS, help="file format (default: from the file name)"
        )
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="write to this file (default: standard output)",
        )

    def handle(self, *, output: Path | None, **options: Any) -> None:
        is_excel = output is not None and output.suffix.lower() == ".xlsx"
        file_format = options["format"] or ("xlsx" if is_excel else "csv")
        if output is None and file_format == "xlsx" and sys.stdout.isatty():
            raise CommandError("Excel cannot be written to a terminal: name a file with --output")
        products = Product.objects.order_by("pk").select_related("category")
        dataset = ProductResource().export(products)
        try:
            content = FORMATS[file_format]().export_data(dataset)
        except FileError as error:
            raise CommandError(str(error)) from error
        if output is None:
            sys.stdout.buffer.write(content)
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        self.stderr.write(f"{len(dataset):,} products written to {output}.")
