"""The words of messages: shipped in several languages, and replaced by those in the database."""

from dataclasses import dataclass, field
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
from notification_service.notifications.facts import Fact, changed_fields, from_text
from notification_service.notifications.models import Delivery, MessageTemplate

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


@dataclass
class Words:
    """Texts as the database and the shipped ones have them, read once for many messages."""

    _own: dict[tuple[str, str], str] = field(default_factory=dict)
    _compiled: dict[tuple[str, str], Template] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "Words":
        own = MessageTemplate.objects.values_list("kind", "language", "text")
        return cls({(kind, language): text for kind, language, text in own})

    def of(self, delivery: Delivery, language: str) -> str:
        """What a delivery says, in plain text: a sentence for each fact."""
        product = product_of(delivery.event.type, delivery.event.data)
        return self.tell(from_text(delivery.facts), product, language)

    def tell(self, facts: list[Fact], product: Product, language: str) -> str:
        """A sentence for each of these facts."""
        values = _context(_values(product, language))
        told = " ".join(self._template(fact, language).render(values) for fact in facts)
        # Data may hold a NUL, and so may what an own text has for a name that is not there.
        return told.replace(UNKNOWN, "")

    def of_digest(self, count: int, language: str) -> str:
        """What is above so many pieces of news."""
        return self._template(DIGEST, language).render(_context({"count": count}))

    def _template(self, kind: str, language: str) -> Template:
        if (kind, language) not in self._compiled:
            text = self._own.get((kind, language)) or shipped(kind, language)
            self._compiled[kind, language] = Template(text, engine=ENGINE)
        return self._compiled[kind, language]


def shipped(kind: str, language: str) -> str:
    """The text that comes with the service."""
    with translation.override(language):
        return gettext(SHIPPED[kind])


def product_of(event_type: str, data: str) -> Product:
    """The product of an event, as its contract has it."""
    return msgspec.json.decode(data, type=CONTRACTS[event_type])


def check(kind: str, text: str) -> None:
    """See whether a text can be used for a kind of message.

    :raises WrongTemplate: for a mistake in it, or a name that this kind of message does not know.
    """
    values = {"count": 2} if kind == DIGEST else _values(EXAMPLE, "en")
    try:
        shown = Template(text, engine=ENGINE).render(_context(values))
    except (TemplateSyntaxError, TemplateDoesNotExist, ValueError, TypeError, LookupError) as error:
        raise WrongTemplate(f"This is no valid template: {error}") from None
    if UNKNOWN in shown:
        raise WrongTemplate(f"It has an unknown name; there are {', '.join(values)}.")


def _context(values: dict[str, Any]) -> Context:
    return Context(values, autoescape=False)


def _values(product: Product, language: str) -> dict[str, Any]:
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
