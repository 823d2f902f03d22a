"""The admin pages of parked events: permissions, and the log of decisions."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from eventbus.inbox.models import ParkedDecision, ParkedEvent, ParkedKey
from eventbus.testing.bus import Bus

pytestmark = pytest.mark.django_db

EVENTS = "/admin/eventbus_inbox/parkedevent/"
KEYS = "/admin/eventbus_inbox/parkedkey/"


@pytest.fixture
def parked(bus: Bus) -> ParkedEvent:
    bus.send("product.events", b"<oops>", key=b"7")
    bus.consume()
    return ParkedEvent.objects.get()


def staff(*permissions: str) -> Client:
    """A client logged in as a user with these permissions."""
    user = User.objects.create_user("-".join(permissions), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def decide(client: Client, path: str, pk: int, action: str, **reason: str) -> str:
    form = {"action": action, "_selected_action": pk, **reason}
    return client.post(path, form, follow=True).content.decode()


def test_pages_show_parked_events(admin_client: Client, parked: ParkedEvent) -> None:
    for path in (
        EVENTS,
        KEYS,
        f"{EVENTS}{parked.pk}/change/",
        "/admin/eventbus_inbox/workerstate/",
    ):
        assert admin_client.get(path).status_code == 200
    page = admin_client.get(f"{EVENTS}{parked.pk}/change/").content.decode()
    assert "&lt;oops&gt;" in page
    assert "InvalidEvent" in page


def test_viewers_cannot_decide(parked: ParkedEvent) -> None:
    viewer = staff("view_parkedevent", "view_parkedkey")
    page = viewer.get(f"{EVENTS}{parked.pk}/change/").content.decode()
    assert "InvalidEvent" in page
    assert "Retry now" not in page
    for path, pk in ((EVENTS, parked.pk), (KEYS, parked.parked_key_id)):
        decide(viewer, path, pk, "discard", reason="junk")
    assert not ParkedDecision.objects.exists()


@pytest.mark.parametrize("path", [EVENTS, KEYS])
def test_a_decision_requires_a_reason_and_is_logged(parked: ParkedEvent, path: str) -> None:
    somebody = staff("view_parkedevent", "view_parkedkey", "resolve_parkedevent")
    pk = parked.pk if path == EVENTS else parked.parked_key_id
    asked = decide(somebody, path, pk, "discard")
    assert "Reason" in asked
    assert "unreadable at product.events/0/0" in asked
    assert "This field is required" in decide(somebody, path, pk, "discard", reason=" ")
    assert not ParkedDecision.objects.exists()
    done = decide(somebody, path, pk, "discard", reason="junk")
    assert "1 event: discard." in done
    decision = ParkedDecision.objects.get()
    assert (decision.action, decision.reason) == ("discard", "junk")
    assert decision.by.startswith("view_parkedevent")
    assert ParkedKey.objects.get().state == "clear"


def test_the_line_of_a_handler_names_it_and_says_if_it_is_missing(
    admin_client: Client, parked: ParkedEvent
) -> None:
    line = parked.parked_key
    ParkedKey.objects.filter(pk=line.pk).update(handler="shop.handlers.gone")
    for path in (EVENTS, KEYS, f"{EVENTS}{parked.pk}/change/"):
        page = admin_client.get(path).content.decode()
        assert "only shop.handlers.gone" in page
        assert "handler not found" in page
    done = decide(admin_client, EVENTS, parked.pk, "retry_now", reason="")
    assert "which no longer exists: restore the handler" in done
    ParkedKey.objects.filter(pk=line.pk).update(handler="audit_service.audit.handlers.watch")
    page = admin_client.get(KEYS).content.decode()
    assert "only audit_service.audit.handlers.watch" in page
    assert "handler not found" not in page


def test_retrying_without_a_worker_says_so(admin_client: Client, parked: ParkedEvent) -> None:
    done = decide(admin_client, EVENTS, parked.pk, "retry_now", reason="")
    assert "No worker is running" in done
    assert ParkedKey.objects.get().state == "retrying"


def test_too_many_at_once_are_rejected_with_a_message(
    admin_client: Client, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.inbox.admin.MOST_AT_ONCE", 1)
    for garbage in (b"<", b">"):
        bus.send("product.events", garbage)
    bus.consume()
    form = {"action": "discard", "select_across": "1", "_selected_action": "1"}
    page = admin_client.post(EVENTS, form, follow=True).content.decode()
    assert "Select at most 1 rows at a time" in page
    assert not ParkedDecision.objects.exists()


def test_deciding_twice_says_so(admin_client: Client, parked: ParkedEvent) -> None:
    decide(admin_client, EVENTS, parked.pk, "discard", reason="junk")
    again = decide(admin_client, EVENTS, parked.pk, "discard", reason="junk")
    assert "was already handled or discarded" in again
