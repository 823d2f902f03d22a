"""The library's pages work with only the admin's own apps, on every supported Django."""

import pytest
from django.contrib import admin
from django.urls import reverse

from common.contracts.product import ProductCreated
from common.tests.conftest import hopeless, poison, product
from eventbus import outbox
from eventbus.inbox.models import LostMessages, ParkedEvent, WorkerState
from eventbus.inbox.parking import decisions

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(bus):
    """The admin pages of the library's models, each with a row."""
    outbox.publish_all([product(), poison(2, 1), poison(2, 2), hopeless(3, 1), hopeless(4, 1)])
    bus.run()
    decisions.discard(ParkedEvent.objects.latest("id").pk, by="ann", reason="junk")
    outbox.publish(product(5))
    WorkerState.objects.create(consumer="group", host="here", pid=1)
    LostMessages.objects.create(consumer="group", topic="t", partition=0, first=1, last=2)
    admin.autodiscover()
    return [
        (f"admin:{model._meta.app_label}_{model._meta.model_name}", shown.get_queryset(None))
        for model, shown in admin.site._registry.items()
        if model.__module__.startswith("eventbus.")
    ]


def test_the_admin_shows_every_row(admin_client, pages):
    assert len(pages) == 5
    for name, rows in pages:
        assert rows.exists()
        answers = [admin_client.get(reverse(f"{name}_changelist"))]
        answers += [admin_client.get(reverse(f"{name}_change", args=[row.pk])) for row in rows]
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("action", ["retry_now", "discard", "discard_and_release"])
def test_a_decision_is_asked_for_and_made(admin_client, pages, action):
    event = ParkedEvent.objects.filter(state="failed").first()
    path = reverse("admin:eventbus_inbox_parkedevent_changelist")
    form = {"action": action, "_selected_action": event.pk}
    assert "Reason" in admin_client.post(path, form).content.decode()
    assert admin_client.post(path, {**form, "reason": "why not"}).status_code == 302
    assert event.decisions.get().reason == "why not"


def test_the_page_of_events_and_their_schemas_open(client):
    assert ProductCreated.event_type in client.get("/events/").content.decode()
    schema = client.get(f"/events/{ProductCreated.event_type}/v1/")
    assert schema["Content-Type"] == "application/schema+json"
