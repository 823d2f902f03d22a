"""Shopify's product export, read as products of ours: one for each variant.

https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from html import unescape
from typing import Any

from django.utils.html import strip_tags
from django.utils.text import slugify

Row = Mapping[str, str]

MARKS = frozenset({"Handle", "Title", "Variant Price"})
"""Columns that tell this format from ours."""
ONLY_ONE = "Default Title"
"""The option value of a product that has no variants."""
OPTIONS = ("Option1 Value", "Option2 Value", "Option3 Value")


def is_export(headers: Collection[str]) -> bool:
    return set(headers) >= MARKS


def variants(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """The products of an export: a row for each variant, in the columns of ``ProductResource``.

    Rows that only bring one more image are passed over. Columns that the file does not have are
    left out, so that what we know stays as it is. Each has ``line``, its line in the file.
    """
    product: Row = {}
    for line, row in enumerate(rows, start=2):
        if row.get("Title") or row["Handle"] != product.get("Handle"):
            product = row
        if row.get("Variant Price"):
            yield {"line": line, **_variant(product, row)}


def _variant(product: Row, row: Row) -> dict[str, Any]:
    options = [row.get(name, "") for name in OPTIONS]
    chosen = [value for value in options if value and value != ONLY_ONE]
    variant = {
        "sku": row.get("Variant SKU") or "-".join(map(slugify, [row["Handle"], *chosen])),
        "name": ", ".join([product.get("Title", ""), *chosen]),
        "description": text(product.get("Body (HTML)", "")),
        "category": product.get("Type", ""),
        "price": row["Variant Price"],
        "is_active": _is_active(product),
    }
    if "Variant Inventory Qty" in row:
        variant["stock"] = _stock(row["Variant Inventory Qty"])
    return variant


def _stock(quantity: str) -> str:
    """What is there: where more was sold than there was, nothing."""
    return "0" if not quantity or quantity.startswith("-") else quantity


def _is_active(product: Row) -> str:
    status = product.get("Status", "active").strip().lower()
    published = product.get("Published", "true").strip().lower()
    return "1" if status == "active" and published == "true" else "0"


def text(html: str) -> str:
    """The text of an HTML body: a line for each block."""
    for end in ("</p>", "</li>", "</div>", "<br>", "<br/>", "<br />"):
        html = html.replace(end, f"{end}\n")
    lines = (" ".join(line.split()) for line in unescape(strip_tags(html)).splitlines())
    return "\n".join(filter(None, lines))
