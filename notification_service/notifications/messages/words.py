"""The texts of messages: the default texts, and the custom texts that replace them."""

from dataclasses import dataclass, field

from django.template import Template

from common.contracts.product import Product
from notification_service.notifications.facts import Fact, from_text
from notification_service.notifications.models import Delivery, MessageTemplate
from notification_service.notifications.rendering import (
    DIGEST,
    compiled,
    product_of,
    rendered,
    shipped,
    values_of,
)


@dataclass
class Words:
    """All texts, read once for many messages."""

    _own: dict[tuple[str, str], str] = field(default_factory=dict)
    _compiled: dict[tuple[str, str], Template] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "Words":
        own = MessageTemplate.objects.values_list("kind", "language", "text")
        return cls({(kind, language): text for kind, language, text in own})

    def of(self, delivery: Delivery, language: str) -> str:
        """Render a delivery as plain text, with a sentence for each fact."""
        product = product_of(delivery.event.type, delivery.event.data)
        return self.tell(from_text(delivery.facts), product, language)

    def tell(self, facts: list[Fact], product: Product, language: str) -> str:
        """Render a sentence for each of these facts."""
        values = values_of(product, language)
        return " ".join(rendered(self._template(fact, language), values) for fact in facts)

    def of_digest(self, count: int, language: str) -> str:
        """Render the heading of a digest."""
        return rendered(self._template(DIGEST, language), {"count": count})

    def _template(self, kind: str, language: str) -> Template:
        if (kind, language) not in self._compiled:
            text = self._own.get((kind, language)) or shipped(kind, language)
            self._compiled[kind, language] = compiled(text)
        return self._compiled[kind, language]
