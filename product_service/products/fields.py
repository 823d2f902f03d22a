"""Fields that normalize their values, however they were entered.

They do that in ``to_python``, which every write of a column uses: ``save()``, ``bulk_create()``,
``update()``, and forms. Serializers normalize as well, before they validate:
``product_service/products/api/serializers.py``.
"""

import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any
from unicodedata import normalize

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Col
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

CENT = Decimal("0.01")
LINE_BREAK = re.compile(r"\r\n?")
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufffe\uffff]")
"""Control characters other than tab and line feed (Unicode's Cc), and what XML cannot contain."""


def normal(text: str) -> str:
    """Normalize a text for storage.

    Unicode NFC, line feeds as line breaks, no surrounding white space.
    """
    return LINE_BREAK.sub("\n", normalize("NFC", text)).strip()


def validate_characters(text: str) -> None:
    """Reject control characters, which file formats and pages cannot represent."""
    if found := NO_TEXT.search(text):
        code = f"U+{ord(found[0]):04X}"
        raise ValidationError(f"The control character {code} is not allowed.")


class NormalFormField(forms.CharField):
    """A form field that normalizes a text before measuring and validating it."""

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text if text is None else normal(text)


class LikeDjangos(models.Field):  # type: ignore[type-arg]
    """A field of Django's that only normalizes its values.

    It appears as Django's field in migrations, and in expressions, which otherwise refuse to mix a
    field with one of a subclass, as in ``Concat(Value("New "), F("name"))``.
    """

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        options.pop("validators", None)  # not part of the database schema
        return name, f"django.db.models.{self.get_internal_type()}", args, options

    def get_col(self, alias: str, output_field: "models.Field[Any, Any] | None" = None) -> Col:
        return Col(alias, self, output_field or self._of_django)

    @cached_property
    def _of_django(self) -> "models.Field[Any, Any]":
        _, path, args, options = self.deconstruct()
        field: models.Field[Any, Any] = import_string(path)(*args, **options)
        return field


class NormalText(LikeDjangos):
    """Shared by :class:`NormalCharField` and :class:`NormalTextField`."""

    default_validators = [validate_characters]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normal(value) if isinstance(value, str) else value

    def formfield(self, **options: Any) -> forms.Field | None:
        return super().formfield(**{"form_class": NormalFormField, **options})


class NormalCharField(NormalText, models.CharField):  # type: ignore[type-arg]
    """A ``CharField`` that stores texts in :func:`normal` form."""


class NormalTextField(NormalText, models.TextField):  # type: ignore[type-arg]
    """A ``TextField`` that stores texts in :func:`normal` form."""


class PriceField(LikeDjangos, models.DecimalField):  # type: ignore[type-arg]
    """Money with two decimals. 24.5 equals 24.50, and -0 is stored as 0."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"max_digits": 12, "decimal_places": 2, **options})

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        """Round what SQLite computes and keeps every digit of; PostgreSQL rounds by itself."""
        is_computed = hasattr(value, "as_sql") and connection.vendor == "sqlite"
        return f"ROUND(CAST(%s AS NUMERIC), {self.decimal_places})" if is_computed else "%s"

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Round to cents alike on every database: left to itself, PostgreSQL rounds half up."""
        price = value if hasattr(value, "as_sql") else self.to_python(value)
        if isinstance(price, Decimal):
            with suppress(InvalidOperation):
                price = in_cents(price)
        return super().get_db_prep_save(price, connection)

    def to_python(self, value: Any) -> Any:
        """Convert to cents. Values that need more decimals are kept, to be rejected or rounded."""
        price = super().to_python(value)
        if isinstance(price, Decimal):
            with suppress(InvalidOperation):
                return exact if (exact := in_cents(price)) == price else price
        return price


def in_cents(price: Decimal) -> Decimal:
    """Round a price to cents. Never -0.00, which databases do not distinguish from 0.00."""
    return price.quantize(CENT) + 0
