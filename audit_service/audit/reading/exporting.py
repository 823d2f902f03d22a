"""Exports entries as NDJSON, CSV or Parquet, in constant memory."""

import csv
from base64 import b64encode
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from itertools import islice
from typing import Any, BinaryIO

import msgspec

from audit_service.audit.models import AuditEntry
from audit_service.audit.record.sealing import SEALED
from common.servicekit.spreadsheets import defused

Write = Callable[[Iterable[AuditEntry], BinaryIO], None]
ROW_GROUP = 10_000
TEXTS = [name for name in SEALED if name != "value"]


class MissingLibrary(Exception):
    """A format requires a library that is not installed. The message names it."""


def write_ndjson(entries: Iterable[AuditEntry], file: BinaryIO) -> None:
    """Write each entry as a line of JSON. As in CloudEvents, binary data is in ``value_base64``."""
    for entry in entries:
        file.write(msgspec.json.encode(_readable(entry)) + b"\n")


def write_csv(entries: Iterable[AuditEntry], file: BinaryIO) -> None:
    """Write the same columns as NDJSON. No cell can run as a formula in a spreadsheet.

    ``common.servicekit.spreadsheets.unmark`` restores the original text of a cell.
    """
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    columns = ["position", "link", *TEXTS, "value", "value_base64"]
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    for entry in entries:
        row = _readable(entry)
        for name in ("recorded_at", "time"):
            row[name] = row[name].isoformat() if row[name] else ""
        writer.writerow({name: defused(value) for name, value in row.items()})
    text.flush()
    text.detach()


def write_parquet(entries: Iterable[AuditEntry], file: BinaryIO) -> None:
    """Write typed columns. ``value`` and ``link`` are binary.

    :raises MissingLibrary: if pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingLibrary("Parquet requires pyarrow: pip install pyarrow") from error
    special = {
        "link": pyarrow.binary(32),
        "value": pyarrow.binary(),
        "recorded_at": pyarrow.timestamp("us", "UTC"),
        "time": pyarrow.timestamp("us", "UTC"),
    }
    special |= dict.fromkeys(("position", "partition", "offset", "sequence"), pyarrow.int64())
    columns = ["position", "link", *SEALED]
    schema = pyarrow.schema([(name, special.get(name, pyarrow.string())) for name in columns])
    left = iter(entries)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(left, ROW_GROUP)):
            rows = [{name: _plain(getattr(entry, name)) for name in columns} for entry in group]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


FORMATS: dict[str, Write] = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}


def _readable(entry: AuditEntry) -> dict[str, Any]:
    row = {"position": entry.position, "link": bytes(entry.link).hex()}
    row |= {name: getattr(entry, name) for name in TEXTS}
    value = bytes(entry.value)
    try:
        return {**row, "value": value.decode()}
    except UnicodeDecodeError:
        return {**row, "value_base64": b64encode(value).decode()}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
