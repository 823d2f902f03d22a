"""Webhooks, to a real receiver that fails on demand."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from notification_service.notifications.channels import addresses, http, webhooks
from notification_service.notifications.models import Delivery, Endpoint
from notification_service.notifications.tests.rules import consume, deliver, send

pytestmark = pytest.mark.django_db


class Receiver(ThreadingHTTPServer):
    """Keeps what comes, and answers with what it was told to, or 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.requests = []
        self.script = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((dict(self.headers), body))
        answer = self.server.script.pop(0) if self.server.script else (200, {})
        if answer == "drip":
            self.drip()
            return
        status, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"because")

    def drip(self):
        """One byte at a time, for ever: no single read takes long."""
        try:
            while True:
                self.wfile.write(b"H")
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def endpoint(receiver, user):
    return Endpoint.objects.create(owner=user, name="shop", url=receiver.url)


@pytest.fixture
def hooked(bus, follow, endpoint):
    """An event for a webhook, decided and not delivered."""
    follow(channel="webhook", endpoint=endpoint)
    consume(bus, "product.updated", previous={"price": "6.00"})
    return Delivery.objects.get()


def test_a_webhook_is_signed_and_says_what_happened(receiver, endpoint, hooked):
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


def test_two_secrets_are_valid_while_one_replaces_the_other(receiver, endpoint, hooked, later):
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
def test_what_fails_is_tried_again_with_the_same_id(receiver, hooked, later, status):
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
def test_retry_after(receiver, hooked, when):
    receiver.script.append((503, {"Retry-After": when}))
    deliver()
    hooked.refresh_from_db()
    seconds = (hooked.due_at - hooked.created_at).total_seconds()
    asked = {"7200": 7200, "soon": 5}.get(when, 86_400)
    assert asked * 0.5 <= seconds <= asked + 10


def test_gone_disables_the_endpoint(receiver, endpoint, hooked, bus):
    send(bus, "product.deleted")
    bus.consume()
    receiver.script.append((410, {}))
    deliver()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "it answered 410 Gone")
    assert len(receiver.requests) == 1
    assert set(Delivery.objects.values_list("state", flat=True)) == {"failed"}
    consume(bus, "product.created", id=9)
    assert Delivery.objects.count() == 2  # nothing is decided for it any more


def test_redirects_are_not_followed(receiver, hooked):
    receiver.script.append((302, {"Location": receiver.url}))
    deliver()
    assert len(receiver.requests) == 1
    hooked.refresh_from_db()
    assert hooked.answer.startswith("302 Found")


def test_a_receiver_that_drips_is_left(receiver, hooked, monkeypatch):
    monkeypatch.setattr(webhooks, "SECONDS", 0.5)
    receiver.script.append("drip")
    started = time.monotonic()
    deliver()
    assert time.monotonic() - started < 3
    hooked.refresh_from_db()
    assert hooked.answer == "no answer within 0.5 s"


def test_a_dead_receiver_costs_others_nothing(receiver, endpoint, bus, follow, user):
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


def test_what_was_private_when_it_was_sent_is_refused(receiver, hooked, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = False
    deliver()
    hooked.refresh_from_db()
    assert not receiver.requests
    assert hooked.state == "failed"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https:///x",
        "https://me:secret@example.com/", "https://localhost/", "https://127.0.0.1/",
        "https://[::1]/", "https://10.1.2.3/", "https://169.254.169.254/latest/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/", "https://0.0.0.0/", "https://224.0.0.1/",
        "https://100.64.0.1/", "https://example.com:99999/", "https://example.com/#x",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_when_they_are_entered(url):
    with pytest.raises(addresses.Refused):
        addresses.check_url(url)


@pytest.mark.parametrize("url", ["https://example.com/hook?x=1", "https://93.184.215.14:8443/"])
def test_addresses_that_are_not(url):
    addresses.check_url(url)


@pytest.mark.parametrize("found", ["127.0.0.1", "::1", "10.0.0.8", "::ffff:10.0.0.8"])
def test_a_name_that_leads_inside_is_refused_after_dns(monkeypatch, found):
    def getaddrinfo(host, port, **options):
        return [(0, 0, 0, "", ("93.184.215.14", port)), (0, 0, 0, "", (found, port))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", getaddrinfo)
    network = http.GuardedNetwork(5)
    network.start_clock()
    with pytest.raises(addresses.Refused, match="private"):
        network.connect_tcp("innocent.example", 443)


def test_numbers_that_mean_this_machine_are_refused_after_dns():
    with pytest.raises(addresses.Refused):
        addresses.resolve("2130706433", 80)


def test_the_secret_is_shown_once(receiver, admin_client, user):
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
