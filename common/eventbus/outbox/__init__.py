"""The producing side: events are stored with the change, and relayed to Kafka after the commit."""

from eventbus.outbox.publishing import publish, publish_all

__all__ = ["publish", "publish_all"]
