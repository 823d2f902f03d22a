"""The file formats, for django-import-export and for the commands."""

from typing import Any

from import_export.formats import base_formats
from tablib import Dataset

from product_service.products.exchange.cells import MOST_BYTES, FileError, Sheet
from product_service.products.exchange.csv_files import read_csv, write_csv
from product_service.products.exchange.xlsx_files import read_xlsx, write_xlsx


class CSV(base_formats.CSV):
    """Read as bytes, which determine their encoding."""

    def is_binary(self) -> bool:
        return True

    def get_read_mode(self) -> str:
        return "rb"

    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        _refuse_too_large(in_stream)
        return read_csv(in_stream)

    def export_data(self, dataset: Dataset, **_: Any) -> bytes:
        return write_csv(dataset)


class XLSX(base_formats.XLSX):
    def create_dataset(self, in_stream: bytes, **_: Any) -> Sheet:
        _refuse_too_large(in_stream)
        return read_xlsx(in_stream)

    def export_data(self, dataset: Dataset, **_: Any) -> bytes:
        return write_xlsx(dataset)


def _refuse_too_large(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise FileError(
            f"The file is larger than {MOST_BYTES:,} bytes. Split it into several files."
        )
