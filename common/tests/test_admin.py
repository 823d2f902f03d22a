"""The library's pages work with only the admin's own apps, on every supported Django."""

import re

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from common.contracts.product import ProductCreated
from common.tests.conftest import hopeless, poison, product
from eventbus import outbox
from eventbus.inbox.models import LostMessages, ParkedEvent, WorkerState
from eventbus.inbox.parking import decisions
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(bus: Bus) -> list[tuple[str, QuerySet[Model]]]:
    """The admin pages of the library's models, each with a row."""
    outbox.publish_all([product(), poison(2, 1), poison(2, 2), hopeless(3, 1), hopeless(4, 1)])
    bus.run()
    decisions.discard(ParkedEvent.objects.latest("id").pk, by="ann", reason="junk")
    outbox.publish(product(5))
    WorkerState.objects.create(consumer="group", host="here", pid=1)
    LostMessages.objects.create(consumer="group", topic="t", partition=0, first=1, last=2)
    admin.autodiscover()
    return [
        (
            f"admin:{model._meta.app_label}_{model._meta.model_name}",
            shown.get_queryset(HttpRequest()),
        )
        for model, shown in admin.site._registry.items()
        if model.__module__.startswith("eventbus.")
    ]


def test_the_admin_shows_every_row(
    admin_client: Client, pages: list[tuple[str, QuerySet[Model]]]
) -> None:
    assert len(pages) == 5
    for name, rows in pages:
        assert rows.exists()
        answers = [admin_client.get(reverse(f"{name}_changelist"))]
        answers += [admin_client.get(reverse(f"{name}_change", args=[row.pk])) for row in rows]
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("action", ["retry_now", "discard", "discard_and_release"])
def test_a_decision_is_asked_for_and_made(
    admin_client: Client, pages: list[tuple[str, QuerySet[Model]]], action: str
) -> None:
    event = ParkedEvent.objects.filter(state="failed")[0]
    path = reverse("admin:eventbus_inbox_parkedevent_changelist")
    form = {"action": action, "_selected_action": event.pk}
    assert "Reason" in admin_client.post(path, form).content.decode()
    assert admin_client.post(path, {**form, "reason": "why not"}).status_code == 302
    assert event.decisions.get().reason == "why not"


def test_the_page_of_events_and_their_schemas_open(client: Client) -> None:
    page = client.get(reverse("eventbus_outbox:events"))
    assert f'href="/events/schema/{ProductCreated.event_type}/v1/"' in page.content.decode()
    schema_url = reverse("eventbus_outbox:schema", args=[ProductCreated.event_type, 1])
    assert schema_url == f"/events/schema/{ProductCreated.event_type}/v1/"
    schema = client.get(schema_url)
    assert schema["Content-Type"] == "application/schema+json"


def test_the_pages_have_their_style(admin_client, pages):
    page = admin_client.get(reverse("admin:eventbus_inbox_parkedevent_changelist"))
    [style] = re.findall(r'href="/static/(eventbus_inbox/[^"]+)"', page.content.decode())
    assert finders.find(style)


def test_filters_of_other_admins_are_djangos_own(admin_user, rf, pages):
    host = admin.ModelAdmin(ParkedEvent, admin.site)
    request = rf.get("/")
    request.user = admin_user
    field = ParkedEvent._meta.get_field("parked_key")
    used = admin.FieldListFilter.create(field, request, {}, ParkedEvent, host, "parked_key")
    assert type(used) is admin.RelatedFieldListFilter
