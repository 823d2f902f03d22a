"""Webhooks, as Standard Webhooks 1.0.0 has them.

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
"""For one delivery; the specification asks for 15 to 30 at the most."""
MOST_BYTES = 2_000
"""Of an answer are kept, to be shown; the rest says nothing that we need."""
MOST_DRAINED_BYTES = 64 * 1024
MOST_DRAINING_SECONDS = 1.0
"""So much of an answer is read to its end, and the connection used again; beyond, it is closed."""
LONGEST_WAIT_SECONDS = 24 * 3600
"""That a receiver may ask for with Retry-After."""


@contextmanager
def sender(
    endpoint: Endpoint | None, words: Words
) -> Iterator[Callable[[OutgoingMessage], SendOutcome]]:
    """Sends to one endpoint, over one connection as long as the receiver keeps it open."""
    network = GuardedNetwork(SECONDS)
    with httpcore.ConnectionPool(network_backend=network, max_connections=1) as pool:

        def send(message: OutgoingMessage) -> SendOutcome:
            if endpoint is None:
                return Refused("the endpoint is gone")
            if not endpoint.is_active:
                return Refused(f"the endpoint is disabled: {endpoint.disabled_reason}")
            try:
                return _post(pool, network, endpoint, message.first)
            except AddressRefused as error:
                return Refused(str(error))
            except httpcore.TimeoutException:
                return NotSent(f"no answer within {SECONDS:g} s")
            except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
                return NotSent(f"{type(error).__name__}: {error}")

        yield send


def body(delivery: Delivery) -> bytes:
    """What an application gets: ``type``, ``timestamp`` and ``data``, always the same bytes."""
    event = delivery.event
    told = {
        "type": event.type,
        "timestamp": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "event": {"id": event.event_id, "source": event.source},
            "facts": from_text(delivery.facts),
            "product": msgspec.Raw(event.data.encode()),
        },
    }
    return msgspec.json.encode(told)


def headers(
    delivery: Delivery, content: bytes, secrets: list[str], now: datetime
) -> dict[str, str]:
    """Who it is, when it was sent, and a signature for each secret that is valid."""
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
            endpoint.disable(f"it answered {said}")
            return Refused(f"{said}: the endpoint was disabled")
        told = f"{said} {beginning}".strip()
        return NotSent(told, _retry_after(response, now))


@contextmanager
def _answer_to(
    pool: httpcore.ConnectionPool,
    network: GuardedNetwork,
    url: str,
    sent: dict[str, str],
    content: bytes,
) -> Iterator[httpcore.Response]:
    """Send a request, and have its answer. The body is not read yet.

    A connection that was used before may have been closed at this very moment. Then it is sent once
    more, on a new one (RFC 9112, section 9.3.1); a receiver that got it twice knows its id.
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
    """The beginning of the body. It is read to its end, if that is near: see the limits above.

    What the status said holds, whatever becomes of the body.
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
    """When a receiver asks to be tried again (RFC 9110, section 10.2.3)."""
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
