"""Connects the other outboxes to Kafka: by a producer like ours, without waiting for it."""

from typing import Any

from jaiminho.send import save_to_outbox

from eventbus.kafka.clients import Producer, producer

_producers: list[Producer] = []


def shared() -> Producer:
    """The producer of this process."""
    if not _producers:
        _producers.append(producer())
    return _producers[0]


class Connection:
    """Replaces a STOMP connection, to send django-outbox-pattern's messages to Kafka."""

    def __init__(self, **options: Any) -> None:
        self._is_connected = False

    def connect(self, **options: Any) -> None:
        self._is_connected = True

    def is_connected(self) -> bool:
        return self._is_connected

    def send(self, body: str, destination: str, headers: dict[str, Any]) -> None:
        key = headers["key"].encode()
        shared().send(destination, value=body.encode(), key=key, headers=[])

    def disconnect(self) -> None:
        shared().flush()
        self._is_connected = False


@save_to_outbox  # type: ignore[untyped-decorator]
def tell(topic: str, key: str, body: str) -> None:
    """The function that jaiminho calls for each event."""
    shared().send(topic, value=body.encode(), key=key.encode(), headers=[])
