"""Reads Shopify's product export. Each variant becomes a product.

https://help.shopify.com/en/manual/products/import-export/using-csv
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import unescape

from django.utils.html import strip_tags
from django.utils.text import slugify

from product_service.products.exchange.cells import Cell, Column, FileError, Sheet, counted
from product_service.products.exchange.columns import find
from product_service.products.exchange.lines import TRUTHS

ShopifyRow = Mapping[str, Cell]

MARKS = frozenset({"Handle", "Title", "Variant Price"})
"""Columns that distinguish this format from ours."""
OPTIONS = ("Option1 Value", "Option2 Value", "Option3 Value")
OF_PRODUCTS = ("Handle", "Title", "Body (HTML)", "Type", "Published", "Status")
OF_VARIANTS = (*OPTIONS, "Variant SKU", "Variant Inventory Qty", "Variant Price")
ONLY_ONE = "Default Title"
"""The option value of a product without variants."""
WORDS = {
    "Status": {"": "true", "active": "true", "draft": "false", "archived": "false"},
    "Published": {"": "true", **TRUTHS},
}
"""The values that make a variant active or inactive. Blank means active."""
SAID = {
    "images": ("image-only row", "image-only rows", "skipped"),
    "negative": ("negative quantity", "negative quantities", "imported as 0"),
    "untracked": (
        "variant without a quantity",
        "variants without a quantity",
        "imported with stock 0",
    ),
}
NEGATIVE = re.compile(r"-\d+")


def is_export(columns: Sequence[Column]) -> bool:
    headers = {column.header.casefold() for column in columns}
    return headers >= {mark.casefold() for mark in MARKS}


def take(sheet: Sheet) -> None:
    """Convert a sheet of Shopify's to our columns, with names of categories instead of slugs.

    :raises FileError: if a header occurs twice, or a row has no handle.
    """
    found = find(sheet.columns, (*OF_PRODUCTS, *OF_VARIANTS))
    _note_what_is_not_taken(sheet, set(found.values()))
    export = _Export([{name: row[n] for name, n in found.items()} for row in sheet])
    rows = list(export.variants())
    sheet.notes += export.notes()
    names = list(rows[0]) if rows else ["sku", "name", "price"]
    sheet.become(names, [[row[name] for name in names] for row in rows])


def _note_what_is_not_taken(sheet: Sheet, taken: set[int]) -> None:
    left = [
        column.header
        for number, column in enumerate(sheet.columns)
        if number not in taken and any(cell.strip() for cell in sheet.get_col(number))
    ]
    if left:
        sheet.notes.append(
            f"Columns ignored, because products have no such fields: {', '.join(left)}."
        )


class _Export:
    """The rows of an export: each product, followed by its other variants and its images."""

    def __init__(self, rows: Sequence[ShopifyRow]) -> None:
        self._rows = rows
        self._counts: Counter[str] = Counter()

    def variants(self) -> Iterator[dict[str, Cell]]:
        """Yield a row for each variant, in our columns. Columns that the file does not have are
        left out, so that existing values are kept."""
        product: ShopifyRow = {}
        for row in self._rows:
            handle = row["Handle"]
            if not handle.strip():
                raise FileError(handle.sentence("is blank: each row needs a handle."))
            if row["Title"].strip() or handle != product.get("Handle"):
                product = row
            if row is product or any(row[name].strip() for name in OF_VARIANTS if name in row):
                yield self._variant(product, row)
            else:
                self._counts["images"] += 1

    def notes(self) -> list[str]:
        """Report rows and cells that were skipped or converted."""
        return [
            f"{counted(number, *SAID[what][:2])} {SAID[what][2]}."
            for what, number in self._counts.items()
        ]

    def _variant(self, product: ShopifyRow, row: ShopifyRow) -> dict[str, Cell]:
        options = [row[name] for name in OPTIONS if name in row]
        chosen = [cell for cell in options if cell.strip() and cell != ONLY_ONE]
        variant = {
            "sku": _sku(row, chosen),
            "name": _first_wrong(product["Title"], *chosen)
            or product["Title"].but(", ".join([product["Title"], *chosen])),
            "price": row["Variant Price"],
        }
        if "Body (HTML)" in product:
            variant["description"] = product["Body (HTML)"].but(text(product["Body (HTML)"]))
        if "Type" in product:
            variant["category"] = product["Type"]
        if "Status" in product or "Published" in product:
            variant["is_active"] = _is_active(product)
        if "Variant Inventory Qty" in row:
            variant["stock"] = self._stock(row["Variant Inventory Qty"])
        return variant

    def _stock(self, quantity: Cell) -> Cell:
        """The stock. Oversold and untracked variants have none."""
        if NEGATIVE.fullmatch(quantity.strip()):
            self._counts["negative"] += 1
            return quantity.but("0")
        if not quantity.strip() and not quantity.refused:
            self._counts["untracked"] += 1
            return quantity.but("0")
        return quantity


def _sku(row: ShopifyRow, chosen: Sequence[Cell]) -> Cell:
    """The SKU of the variant, or one made of its handle and options, in ASCII if possible."""
    if "Variant SKU" in row and (row["Variant SKU"].strip() or row["Variant SKU"].refused):
        return row["Variant SKU"]
    parts = (slugify(part) or slugify(part, True) for part in (row["Handle"], *chosen))
    return row["Handle"].but("-".join(parts))


def _first_wrong(*cells: Cell) -> Cell | None:
    """The first cell that cannot be used as a text, such as a size 1/2 that Excel made a date."""
    return next((cell for cell in cells if cell.refused or cell.refused_as_text), None)


def _is_active(product: ShopifyRow) -> Cell:
    """Whether the product is active and published."""
    cells = {name: product[name] for name in WORDS if name in product}
    said = {name: WORDS[name].get(cell.strip().lower()) for name, cell in cells.items()}
    for name, cell in cells.items():
        if cell.refused:
            return cell
        if said[name] is None:
            return cell.but(cell, f"has {str(cell)!r}, which is not a Shopify {name}.")
    return next(iter(cells.values())).but("false" if "false" in said.values() else "true")


def text(html: str) -> str:
    """Convert HTML to text, with a line for each block."""
    for end in ("</p>", "</li>", "</div>", "<br>", "<br/>", "<br />"):
        html = html.replace(end, f"{end}\n")
    lines = (" ".join(line.split()) for line in unescape(strip_tags(html)).splitlines())
    return "\n".join(filter(None, lines))
