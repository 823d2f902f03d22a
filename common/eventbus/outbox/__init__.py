"""The producing side: events are written with the change, and relayed to Kafka after it."""

from eventbus.outbox.publishing import publish, publish_all

__all__ = ["publish", "publish_all"]
