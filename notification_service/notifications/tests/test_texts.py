"""The texts of messages."""

import io
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.core.exceptions import ValidationError

from eventbus.testing.bus import Bus
from notification_service.notifications import rendering
from notification_service.notifications.models import MessageTemplate
from notification_service.notifications.rendering import SHIPPED, money, shipped
from notification_service.notifications.tests.rules import Follow, consume, deliver, texts

LOCALE = Path(rendering.__file__).parent / "locale" / "de" / "LC_MESSAGES"


def test_every_text_is_translated_to_german() -> None:
    for kind, text in SHIPPED.items():
        german = shipped(kind, "de")
        assert german != text
        rendering.check(kind, german)
        rendering.check(kind, text)


def test_the_compiled_translations_match_their_source() -> None:
    po = read_po((LOCALE / "django.po").open("rb"))
    mo = read_mo(io.BytesIO((LOCALE / "django.mo").read_bytes()))
    assert {m.id: m.string for m in po if m.id} == {m.id: m.string for m in mo if m.id}
    assert all(m.string for m in po)


@pytest.mark.parametrize(
    ("amount", "currency", "language", "shown"),
    [
        ("1234.5", "EUR", "en", "€1,234.50"),
        ("1234.5", "EUR", "de", "1.234,50 €"),
        ("1234", "JPY", "en", "¥1,234"),
        ("0.125", "USD", "en", "$0.125"),
        ("5", "XTS", "en", "XTS5.00"),
    ],
)
def test_money(amount: str, currency: str, language: str, shown: str) -> None:
    assert money(Decimal(amount), currency, language).replace("\xa0", " ") == shown


@pytest.mark.django_db
def test_a_custom_text(bus: Bus, follow: Follow) -> None:
    MessageTemplate.objects.create(
        kind="created", language="en", text="{{ name|upper }} {{ stock }}"
    )
    follow()
    consume(bus, "product.created", name="Pot & lid", stock=1234)
    deliver()
    assert texts() == ["POT & LID 1,234"]


@pytest.mark.parametrize(
    "text",
    [
        "{% if %}",
        "{{ prise }}",
        "{% include 'x' %}",
        "{% load i18n %}",
        "{{ name|nosuchfilter }}",
    ],
)
def test_an_invalid_text_is_rejected(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MessageTemplate(kind="created", language="en", text=text).clean()
    assert "text" in refused.value.message_dict
