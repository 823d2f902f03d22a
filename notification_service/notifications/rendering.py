"""Message texts as Django templates: the default texts, and how texts are rendered."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from babel.numbers import format_currency, format_decimal, format_percent
from django.template import (
    Context,
    Engine,
    Template,
    TemplateDoesNotExist,
    TemplateSyntaxError,
)
from django.utils import translation
from django.utils.translation import gettext, gettext_noop
from msgspec import UNSET

from common.contracts.product import (
    PreviousValues,
    Product,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)
from notification_service.notifications.facts import Fact, changed_fields

DIGEST = "digest"
SHIPPED = {
    Fact.CREATED: gettext_noop("{{ name }} is now available for {{ price }}."),
    Fact.DELETED: gettext_noop("{{ name }} was deleted."),
    Fact.PRICE_DROPPED: gettext_noop(
        "The price of {{ name }} fell from {{ old_price }} to {{ price }} (by {{ percent }})."
    ),
    Fact.PRICE_RAISED: gettext_noop(
        "The price of {{ name }} rose from {{ old_price }} to {{ price }}."
    ),
    Fact.OUT_OF_STOCK: gettext_noop("{{ name }} is out of stock."),
    Fact.BACK_IN_STOCK: gettext_noop("{{ name }} is back in stock: {{ stock }} available."),
    Fact.NEW_IN_CATEGORY: gettext_noop("{{ name }} is new in {{ category }}, for {{ price }}."),
    Fact.CHANGED: gettext_noop("{{ name }} was updated: {{ fields }}."),
    DIGEST: gettext_noop(
        "{% if count == 1 %}One update{% else %}{{ count }} updates{% endif %} "
        "on products you follow"
    ),
}
"""The default text of each kind of message: a Django template, in English."""

CONTRACTS: dict[str, type[Product]] = {
    contract.event_type: contract for contract in (ProductCreated, ProductUpdated, ProductDeleted)
}
UNKNOWN = "\0"
ENGINE = Engine(string_if_invalid=UNKNOWN)
"""Without loaders and libraries, so that a text cannot include files. HTML is escaped later."""


class WrongTemplate(ValueError):
    """A text cannot be rendered; the message says why."""


def shipped(kind: str, language: str) -> str:
    """Return the default text in a language."""
    with translation.override(language):
        return gettext(SHIPPED[kind])


def product_of(event_type: str, data: str) -> Product:
    """Decode the product of an event as its contract defines it."""
    return msgspec.json.decode(data, type=CONTRACTS[event_type])


def compiled(text: str) -> Template:
    """Compile a text, to render it many times."""
    return Template(text, engine=ENGINE)


def rendered(template: Template, values: dict[str, Any]) -> str:
    """Render a text. Names without a value are left out."""
    # The data may contain a NUL, and so may a custom text where a name has no value.
    return _rendered(template, values).replace(UNKNOWN, "")


def _rendered(template: Template, values: dict[str, Any]) -> str:
    return template.render(Context(values, autoescape=False))


def check(kind: str, text: str) -> None:
    """Check that a text can be used for a kind of message.

    :raises WrongTemplate: if its syntax is wrong, or it uses a name that is not available.
    """
    values = {"count": 2} if kind == DIGEST else values_of(EXAMPLE, "en")
    try:
        shown = _rendered(compiled(text), values)
    except (TemplateSyntaxError, TemplateDoesNotExist, ValueError, TypeError, LookupError) as error:
        raise WrongTemplate(f"Invalid template: {error}") from None
    if UNKNOWN in shown:
        raise WrongTemplate(f"Unknown name. Available names: {', '.join(values)}.")


def values_of(product: Product, language: str) -> dict[str, Any]:
    """The values that texts about a product can use."""
    previous = product.previous if isinstance(product, ProductUpdated) else PreviousValues()
    before = product.price if previous.price is UNSET else previous.price
    names = changed_fields(product) if isinstance(product, ProductUpdated) else []
    return {
        "name": product.name,
        "sku": product.sku,
        "category": product.category or "",
        "price": money(product.price, product.currency, language),
        "old_price": money(before, product.currency, language),
        "percent": percent(before, product.price, language),
        "stock": format_decimal(product.stock, locale=language),
        "fields": ", ".join(names),
    }


def money(amount: Decimal, currency: str, language: str) -> str:
    """Format an amount for a language (CLDR), with all of its digits."""
    return format_currency(amount, currency, locale=language, decimal_quantization=False)


def percent(before: Decimal, after: Decimal, language: str) -> str:
    """Format a price change in whole percent."""
    share = abs(before - after) / before if before else Decimal(0)
    return format_percent(share, locale=language)


_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
EXAMPLE = ProductUpdated(
    id=17,
    sku="KETTLE-1",
    name="Kettle",
    description="",
    category="kitchen",
    price=Decimal("19.90"),
    currency="EUR",
    stock=12,
    is_active=True,
    version=2,
    created_at=_NOON,
    updated_at=_NOON,
    previous=PreviousValues(price=Decimal("24.90")),
)
"""The product that texts are checked with."""
