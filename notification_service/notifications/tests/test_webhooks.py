"""Webhooks, sent to a real receiver that fails on demand."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from eventbus.testing.bus import Bus
from notification_service.notifications.channels import webhooks
from notification_service.notifications.models import Delivery, Endpoint
from notification_service.notifications.tests.rules import Follow, consume, deliver, send

pytestmark = pytest.mark.django_db


class Receiver(ThreadingHTTPServer):
    """Stores requests, and responds as scripted, or with 200."""

    daemon_threads = True
    connections = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.script: list[Any] = []
        self.paths: list[str] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        self.connections += 1
        return super().get_request()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.server.script.pop(0) if self.server.script else (200, {})
        if answer == "hang up":
            self.close_connection = True
            return
        self.server.requests.append((dict(self.headers), body))
        self.server.paths.append(self.path)
        if answer == "drip":
            self.drip()
            return
        status, headers, content = (*answer, b"because")[:3]
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def drip(self) -> None:
        """Send one byte at a time, for ever: no single read takes long."""
        try:
            while True:
                self.wfile.write(b"H")
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *args: str) -> None:
        pass


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def endpoint(receiver: Receiver, user: User) -> Endpoint:
    return Endpoint.objects.create(owner=user, name="shop", url=receiver.url)


@pytest.fixture
def hooked(bus: Bus, follow: Follow, endpoint: Endpoint) -> Delivery:
    """A due webhook delivery."""
    follow(channel="webhook", endpoint=endpoint)
    consume(bus, "product.updated", previous={"price": "6.00"})
    return Delivery.objects.get()


def test_a_webhook_is_signed_and_describes_the_event(
    receiver: Receiver, endpoint: Endpoint, hooked: Delivery
) -> None:
    deliver()
    [(headers, body)] = receiver.requests
    told = Webhook(endpoint.secret).verify(body, headers)
    assert headers["webhook-id"] == str(hooked.pk)
    assert (told["type"], told["timestamp"]) == ("product.updated", "2026-11-02T10:00:00Z")
    assert told["data"]["facts"] == ["price_dropped"]
    assert told["data"]["product"]["name"] == "Kettle <b>"
    assert told["data"]["product"]["previous"] == {"price": "6.00"}
    hooked.refresh_from_db()
    assert (hooked.state, hooked.answer, hooked.attempts) == ("sent", "200 OK", 1)


def test_both_secrets_are_valid_during_a_rotation(
    receiver: Receiver, endpoint: Endpoint, hooked: Delivery, later: Callable[[], None]
) -> None:
    old = endpoint.secret
    new = endpoint.rotate()
    deliver()
    headers, body = receiver.requests[0]
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    Endpoint.objects.update(previous_until="2026-01-01T00:00Z")
    Delivery.objects.update(state="pending")
    later()
    deliver()
    headers, body = receiver.requests[1]
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 599])
def test_a_failed_webhook_is_retried_with_the_same_id(
    receiver: Receiver, hooked: Delivery, later: Callable[[], None], status: int
) -> None:
    receiver.script.append((status, {}))
    deliver()
    hooked.refresh_from_db()
    assert hooked.state == "pending"
    assert hooked.answer.startswith(str(status))
    assert hooked.answer.endswith("because")
    later()
    deliver()
    first, second = receiver.requests
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]


@pytest.mark.parametrize(
    "when", ["7200", "Wed, 21 Oct 2099 07:28:00 GMT", "999999999999999999999", "soon"]
)
def test_retry_after(receiver: Receiver, hooked: Delivery, when: str) -> None:
    receiver.script.append((503, {"Retry-After": when}))
    deliver()
    hooked.refresh_from_db()
    seconds = (hooked.due_at - hooked.created_at).total_seconds()
    asked = {"7200": 7200, "soon": 5}.get(when, 86_400)
    assert asked * 0.5 <= seconds <= asked + 10


def test_gone_disables_the_endpoint(
    receiver: Receiver, endpoint: Endpoint, hooked: Delivery, bus: Bus
) -> None:
    send(bus, "product.deleted")
    bus.consume()
    receiver.script.append((410, {}))
    deliver()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "it responded with 410 Gone")
    assert len(receiver.requests) == 1
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}
    consume(bus, "product.created", id=9)
    assert Delivery.objects.count() == 2  # no new ones for it


def test_redirects_are_not_followed(receiver: Receiver, hooked: Delivery) -> None:
    receiver.script.append((302, {"Location": receiver.url}))
    deliver()
    assert len(receiver.requests) == 1
    hooked.refresh_from_db()
    assert hooked.answer.startswith("302 Found")


@pytest.fixture
def hook_many(bus: Bus, follow: Follow, endpoint: Endpoint) -> Callable[[int], None]:
    """Create due webhooks for one endpoint."""

    def make(number: int) -> None:
        follow(channel="webhook", endpoint=endpoint)
        for product in range(number):
            send(bus, "product.created", id=product + 1)
        bus.consume()

    return make


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}),
        (204, {}, b""),
        (200, {}, b"x" * 60_000),
        (200, {"Content-Length": None, "Transfer-Encoding": "chunked"}, b"2\r\nok\r\n0\r\n\r\n"),
        (422, {}),
    ],
)
def test_messages_to_one_receiver_share_a_connection(
    receiver: Receiver, hook_many: Callable[[int], None], answer: Any
) -> None:
    hook_many(4)
    receiver.script = [answer] * 4
    deliver()
    assert len(receiver.requests) == 4
    assert receiver.connections == 1


def test_an_endless_response_only_costs_its_connection(
    receiver: Receiver, hook_many: Callable[[int], None]
) -> None:
    hook_many(3)
    receiver.script = [(200, {}, b"x" * 1_000_000)] * 3
    deliver()
    assert receiver.connections == 3
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_a_missing_response_body_does_not_change_the_outcome(
    receiver: Receiver, hook_many: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_DRAINING_SECONDS", 0.1)
    hook_many(1)
    receiver.script = [(200, {"Content-Length": "100"}, b"some")]
    deliver()
    assert set(Delivery.objects.values_list("state", "answer")) == {("sent", "200 OK")}


def test_a_reused_connection_that_was_closed_is_not_a_failure(
    receiver: Receiver, hook_many: Callable[[int], None]
) -> None:
    hook_many(3)
    receiver.script = [(200, {}), "hang up", (200, {}), (200, {})]
    deliver()
    assert len(receiver.requests) == 3
    assert receiver.connections == 2
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}


def test_a_receiver_that_closes_a_new_connection_is_a_failure(
    receiver: Receiver, hooked: Delivery
) -> None:
    receiver.script = ["hang up", (200, {})]
    deliver()
    hooked.refresh_from_db()
    assert (hooked.state, hooked.attempts, len(receiver.requests)) == ("pending", 1, 0)


def test_a_url_is_stored_as_it_is_requested(
    receiver: Receiver, admin_client: Client, bus: Bus, follow: Follow, user: User
) -> None:
    url = receiver.url.replace("/hook", "/größe?ü=1")
    body = {"name": "x", "url": url}
    answer = admin_client.post("/api/endpoints/", body, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    stored = receiver.url.replace("/hook", "/gr%C3%B6%C3%9Fe?%C3%BC=1")
    assert answer.json()["url"] == stored
    endpoint = Endpoint.objects.get()
    assert endpoint.url == stored
    follow(owner=endpoint.owner, channel="webhook", endpoint=endpoint)
    consume(bus, "product.created")
    deliver()
    assert receiver.paths == ["/gr%C3%B6%C3%9Fe?%C3%BC=1"]


def test_a_url_that_was_stored_without_conversion_still_works(
    receiver: Receiver, endpoint: Endpoint, hooked: Delivery
) -> None:
    Endpoint.objects.update(url=receiver.url.replace("/hook", "/größe"))
    deliver()
    assert receiver.paths == ["/gr%C3%B6%C3%9Fe"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://faß.example/", "xn--"),
        ("https://example.com/" + "ü" * 400, "characters"),
        ("https://[::ffff:0:7f00:1]/", "private network"),
    ],
)
def test_urls_that_cannot_be_used_are_rejected_with_one_line(
    admin_client: Client, url: str, said: str
) -> None:
    answer = admin_client.post("/api/endpoints/", {"name": "x", "url": url})
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (400, "#/url")
    assert said in error["detail"]
    form = {"name": "x", "url": url, "owner": 1, "is_active": "on"}
    page = admin_client.post("/admin/notifications/endpoint/add/", form).content.decode()
    assert said in page
    assert not Endpoint.objects.exists()


def test_a_receiver_that_responds_too_slowly_times_out(
    receiver: Receiver, hooked: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.5)
    receiver.script.append("drip")
    started = time.monotonic()
    deliver()
    assert time.monotonic() - started < 3
    hooked.refresh_from_db()
    assert hooked.answer == "no response within 0.5 s"


def test_a_dead_receiver_does_not_delay_others(
    receiver: Receiver, endpoint: Endpoint, bus: Bus, follow: Follow, user: User
) -> None:
    dead = Endpoint.objects.create(owner=user, name="dead", url="http://127.0.0.1:1/")
    for one in (dead, endpoint):
        follow(channel="webhook", endpoint=one)
    for number in range(8):
        send(bus, "product.created", id=number + 1)
    bus.consume()
    deliver()
    assert len(receiver.requests) == 8
    tried = Delivery.objects.filter(endpoint=dead, attempts__gt=0)
    assert tried.count() == 5
    assert "refused" in tried[0].answer


def test_addresses_are_checked_again_when_sending(
    receiver: Receiver, hooked: Delivery, settings: Settings
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = False
    deliver()
    hooked.refresh_from_db()
    assert not receiver.requests
    assert hooked.state == "failed"


def test_the_secret_is_shown_once(receiver: Receiver, admin_client: Client, user: User) -> None:
    answer = admin_client.post("/api/endpoints/", {"name": "x", "url": receiver.url})
    assert answer.status_code == 201
    secret = answer.json()["secret"]
    url = f"/api/endpoints/{answer.json()['id']}/"
    assert "secret" not in admin_client.get(url).json()
    rotated = admin_client.post(f"{url}rotate/").json()
    assert rotated["secret"] not in ("", secret)
    page = admin_client.get(f"/admin/notifications/endpoint/{answer.json()['id']}/change/")
    assert rotated["secret"].encode() not in page.content
    assert json.dumps(admin_client.get("/api/endpoints/").json()).count("whsec_") == 0
