"""Access control: every URL requires a login, and the record a permission."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from audit_service.audit.models import Alert, AuditEntry, ExportRecord, Rule
from audit_service.audit.tests.tampering import change
from common.servicekit.testing.access import (
    OPEN_EVERYWHERE,
    answers,
    open_to_anybody,
    views_with_unguarded_filters,
)
from common.servicekit.testing.pages import Page, Values, pages
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

OPEN = OPEN_EVERYWHERE
VALUES: Values = {
    "pk": [1],
    "id": [1],
    "object_id": [1],
    "content_type_id": [1],
    "format": ["json", ".json"],
    "app_label": ["audit"],
    "url": ["nowhere"],
    "aggregate": ["product"],
    "subject": ["1"],
    "correlation_id": ["r1"],
}


def test_only_the_listed_urls_are_open_without_a_login() -> None:
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}


def test_no_filter_offers_rows_of_other_users() -> None:
    assert views_with_unguarded_filters(VALUES) == []


@pytest.fixture(params=[None, "view_alert"])
def asker(request: pytest.FixtureRequest, bus: Bus, client: Client) -> User:
    """A user who may not see the record, with and without permission to view alerts."""
    data = {"name": "zanzibar-pan", "version": 1}
    event = {
        "specversion": "1.0", "id": "zanzibar-event", "source": "/shop", "type": "product.created",
        "subject": "17", "time": timezone.now().isoformat(), "sequence": 1,
        "actor": "zanzibar-actor", "correlationid": "zanzibar-request", "data": data,
    }  # fmt: skip
    bus.send("product.events", json.dumps(event).encode(), key=b"17")
    bus.consume()
    change(AuditEntry.objects.get(), id=88_000_001)
    Alert.objects.all().delete()
    ExportRecord.objects.create(actor="zanzibar", what="zanzibar-export")
    User.objects.create_user("zanzibar", "zanzibar@example.com")
    user = User.objects.create_user("asker")
    if request.param:
        rule = Rule.objects.all()[0]
        Alert.objects.create(rule=rule, text="told", at=timezone.now(), event_id="e", source="/s")
        user.user_permissions.add(Permission.objects.get(codename=request.param))
    client.force_login(user)
    return user


def pages_about(pk: int, subject: str, request: str) -> list[Page]:
    values = {**VALUES, "pk": [pk], "subject": [subject], "correlation_id": [request]}
    return [page for page in pages(values) if not page.path.startswith("/admin/")]


def test_the_record_is_hidden_without_permission(asker: User, client: Client) -> None:
    """Neither the contents nor the existence of entries is revealed."""
    recorded = pages_about(88_000_001, "17", "zanzibar-request")
    unknown = pages_about(99_000_009, "99", "nothing-of-this")
    about = [
        {str(value): "@" for value in ("88000001", "/17/", "zanzibar-request")},
        {str(value): "@" for value in ("99000009", "/99/", "nothing-of-this")},
    ]
    seen = [
        [(asked, _replaced(text, names)) for asked, text in answers(client, asked_for, {})]
        for asked_for, names in zip((recorded, unknown), about, strict=True)
    ]
    for one, other in zip(*seen, strict=True):
        assert one == other
        assert "zanzibar" not in one[1].lower(), one[0]


def _replaced(text: str, names: dict[str, str]) -> str:
    for name, sign in names.items():
        text = text.replace(name, sign)
    return text
