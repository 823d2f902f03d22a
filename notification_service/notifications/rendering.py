"""Texts of messages as Django templates: those that are shipped, and how any is rendered."""

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
    Fact.CREATED: gettext_noop("{{ name }} is new, at {{ price }}."),
    Fact.DELETED: gettext_noop("{{ name }} was deleted."),
    Fact.PRICE_DROPPED: gettext_noop(
        "The price of {{ name }} fell from {{ old_price }} to {{ price }} (by {{ percent }})."
    ),
    Fact.PRICE_RAISED: gettext_noop(
        "The price of {{ name }} rose from {{ old_price }} to {{ price }}."
    ),
    Fact.OUT_OF_STOCK: gettext_noop("{{ name }} is out of stock."),
    Fact.BACK_IN_STOCK: gettext_noop("{{ name }} is back in stock: {{ stock }}."),
    Fact.NEW_IN_CATEGORY: gettext_noop("{{ name }} is new in {{ category }}, at {{ price }}."),
    Fact.CHANGED: gettext_noop("{{ name }} was changed: {{ fields }}."),
    DIGEST: gettext_noop(
        "{% if count == 1 %}One piece of news{% else %}{{ count }} pieces of news{% endif %} "
        "about products that you follow"
    ),
}
"""By the kind of a message: its text, in English and in the language of Django's templates."""

CONTRACTS: dict[str, type[Product]] = {
    contract.event_type: contract for contract in (ProductCreated, ProductUpdated, ProductDeleted)
}
UNKNOWN = "\0"
ENGINE = Engine(string_if_invalid=UNKNOWN)
"""Without loaders and libraries: a text can include nothing. HTML is escaped where it is made."""


class WrongTemplate(ValueError):
    """A text cannot be rendered; says why."""


def shipped(kind: str, language: str) -> str:
    """The text that comes with the service."""
    with translation.override(language):
        return gettext(SHIPPED[kind])


def product_of(event_type: str, data: str) -> Product:
    """The product of an event, as its contract has it."""
    return msgspec.json.decode(data, type=CONTRACTS[event_type])


def compiled(text: str) -> Template:
    """A text, ready to be rendered many times."""
    return Template(text, engine=ENGINE)


def rendered(template: Template, values: dict[str, Any]) -> str:
    """A text with these values, without what it has for names that are not there."""
    # Data may hold a NUL, and so may what an own text has for a name that is not there.
    return _rendered(template, values).replace(UNKNOWN, "")


def _rendered(template: Template, values: dict[str, Any]) -> str:
    return template.render(Context(values, autoescape=False))


def check(kind: str, text: str) -> None:
    """See whether a text can be used for a kind of message.

    :raises WrongTemplate: for a mistake in it, or a name that this kind of message does not know.
    """
    values = {"count": 2} if kind == DIGEST else values_of(EXAMPLE, "en")
    try:
        shown = _rendered(compiled(text), values)
    except (TemplateSyntaxError, TemplateDoesNotExist, ValueError, TypeError, LookupError) as error:
        raise WrongTemplate(f"This is no valid template: {error}") from None
    if UNKNOWN in shown:
        raise WrongTemplate(f"It has an unknown name; there are {', '.join(values)}.")


def values_of(product: Product, language: str) -> dict[str, Any]:
    """What the texts about a product may name."""
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
    """An amount as people of a language write it (CLDR), with all of its digits."""
    return format_currency(amount, currency, locale=language, decimal_quantization=False)


def percent(before: Decimal, after: Decimal, language: str) -> str:
    """How far a price moved, in whole percent."""
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
"""What texts are tried on."""
