"""Webhooks, following Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore
import msgspec
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from notification_service.notifications.channels.http import GuardedNetwork
from notification_service.notifications.channels.outcomes import NotSent, Refused, SendOutcome, Sent
from notification_service.notifications.destinations.addresses import AddressRefused, checked_url
from notification_service.notifications.facts import from_text
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import Delivery, Endpoint

SECONDS = 10.0
"""Time limit of one delivery. The specification recommends at most 15 to 30 seconds."""
MOST_BYTES = 2_000
"""How much of a response is stored to be displayed."""
MOST_DRAINED_BYTES = 64 * 1024
MOST_DRAINING_SECONDS = 1.0
"""How much of a response is read in order to reuse the connection. Beyond that it is closed."""
LONGEST_WAIT_SECONDS = 24 * 3600
"""Longest delay that is accepted from Retry-After."""


@contextmanager
def sender(
    endpoint: Endpoint | None, words: Words
) -> Iterator[Callable[[OutgoingMessage], SendOutcome]]:
    """Send to one endpoint, over one connection for as long as the receiver keeps it open."""
    network = GuardedNetwork(SECONDS)
    with httpcore.ConnectionPool(network_backend=network, max_connections=1) as pool:

        def send(message: OutgoingMessage) -> SendOutcome:
            if endpoint is None:
                return Refused("the endpoint was deleted")
            if not endpoint.is_active:
                return Refused(f"the endpoint is disabled: {endpoint.disabled_reason}")
            try:
                return _post(pool, network, endpoint, message.first)
            except AddressRefused as error:
                return Refused(str(error))
            except httpcore.TimeoutException:
                return NotSent(f"no response within {SECONDS:g} s")
            except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
                return NotSent(f"{type(error).__name__}: {error}")

        yield send


def body(delivery: Delivery) -> bytes:
    """Return the payload: ``type``, ``timestamp`` and ``data``; the same bytes on each attempt."""
    event = delivery.event
    payload = {
        "type": event.type,
        "timestamp": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "event": {"id": event.event_id, "source": event.source},
            "facts": from_text(delivery.facts),
            "product": msgspec.Raw(event.data.encode()),
        },
    }
    return msgspec.json.encode(payload)


def headers(
    delivery: Delivery, content: bytes, secrets: list[str], now: datetime
) -> dict[str, str]:
    """Return the headers: id, timestamp, and one signature per valid secret."""
    signed = (Webhook(secret).sign(str(delivery.pk), now, content.decode()) for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": "django-events",
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _post(
    pool: httpcore.ConnectionPool, network: GuardedNetwork, endpoint: Endpoint, delivery: Delivery
) -> SendOutcome:
    url = checked_url(endpoint.url)
    now = timezone.now()
    content = body(delivery)
    sent = headers(delivery, content, endpoint.valid_secrets(now), now)
    with _answer_to(pool, network, url, sent, content) as response:
        status = response.status
        beginning = _read(response, network)
        said = f"{status} {_phrase(status)}"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Sent(said)
        if status == HTTPStatus.GONE:
            endpoint.disable(f"it responded with {said}")
            return Refused(f"{said}: the endpoint was disabled")
        reason = f"{said} {beginning}".strip()
        return NotSent(reason, _retry_after(response, now))


@contextmanager
def _answer_to(
    pool: httpcore.ConnectionPool,
    network: GuardedNetwork,
    url: str,
    sent: dict[str, str],
    content: bytes,
) -> Iterator[httpcore.Response]:
    """Send a request and return its response, whose body has not been read.

    The receiver may close a reused connection at the very moment of sending. The request is then
    sent once more on a new connection (RFC 9112, section 9.3.1). A receiver that gets it twice can
    tell by the id.
    """

    def exchange() -> AbstractContextManager[httpcore.Response]:
        return pool.stream("POST", url, headers=list(sent.items()), content=content)

    network.start_clock()
    with ExitStack() as stack:
        try:
            response = stack.enter_context(exchange())
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            if network.has_connected:
                raise
            response = stack.enter_context(exchange())
        yield response


def _read(response: httpcore.Response, network: GuardedNetwork) -> str:
    """Return the start of the body. The rest is read within the limits above.

    Errors while reading are ignored: the status alone decides the outcome.
    """
    read = b""
    try:
        with network.at_most(MOST_DRAINING_SECONDS):
            for chunk in response.iter_stream():
                read += chunk
                if len(read) > MOST_DRAINED_BYTES:
                    break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass
    return " ".join(read[:MOST_BYTES].decode(errors="replace").replace("\0", "").split())


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else ""


def _retry_after(response: httpcore.Response, now: datetime) -> datetime | None:
    """Return when the receiver allows the next attempt (RFC 9110, section 10.2.3)."""
    values = [v for name, v in response.headers if name.lower() == b"retry-after"]
    if not values:
        return None
    text = values[0].decode("latin-1")
    try:
        seconds = int(text) if text.isdecimal() else (_date(text) - now).total_seconds()
    except ValueError:
        return None
    return now + timedelta(seconds=min(seconds, LONGEST_WAIT_SECONDS))


def _date(text: str) -> datetime:
    when = parsedate_to_datetime(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
