"""Webhooks, as Standard Webhooks 1.0.0 has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpcore
import msgspec
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from notification_service.notifications.channels.addresses import Refused as AddressRefused
from notification_service.notifications.channels.addresses import check_url
from notification_service.notifications.channels.http import GuardedNetwork
from notification_service.notifications.channels.outcomes import NotSent, Outcome, Refused, Sent
from notification_service.notifications.facts import from_text
from notification_service.notifications.messages import Message
from notification_service.notifications.models import Delivery, Endpoint
from notification_service.notifications.rendering import Words

SECONDS = 10.0
"""For one delivery; the specification asks for 15 to 30 at the most."""
MOST_BYTES = 2_000
"""Of an answer are read, to be shown; the rest says nothing that we need."""
LONGEST_WAIT_SECONDS = 24 * 3600
"""That a receiver may ask for with Retry-After."""


@contextmanager
def sender(endpoint: Endpoint | None, words: Words) -> Iterator[Callable[[Message], Outcome]]:
    """Sends to one endpoint, over one connection."""
    network = GuardedNetwork(SECONDS)
    with httpcore.ConnectionPool(network_backend=network, max_connections=1) as pool:

        def send(message: Message) -> Outcome:
            if endpoint is None:
                return Refused("the endpoint is gone")
            if not endpoint.is_active:
                return Refused(f"the endpoint is disabled: {endpoint.disabled_reason}")
            network.start_clock()
            try:
                return _post(pool, endpoint, message.first)
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


def _post(pool: httpcore.ConnectionPool, endpoint: Endpoint, delivery: Delivery) -> Outcome:
    check_url(endpoint.url)
    now = timezone.now()
    content = body(delivery)
    sent = headers(delivery, content, endpoint.valid_secrets(now), now)
    with pool.stream("POST", endpoint.url, headers=sent, content=content) as response:
        status = response.status
        said = f"{status} {_phrase(status)}"
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Sent(said)
        if status == HTTPStatus.GONE:
            endpoint.disable(f"it answered {said}")
            return Refused(f"{said}: the endpoint was disabled")
        told = f"{said} {_beginning(response)}".strip()
        return NotSent(told, _retry_after(response, now))


def _beginning(response: httpcore.Response) -> str:
    read = b""
    for chunk in response.iter_stream():
        read += chunk
        if len(read) >= MOST_BYTES:
            break
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
