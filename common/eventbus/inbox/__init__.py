"""The consuming side: handlers, the worker that runs them, and its inbox."""

from eventbus.database.bulk import insert
from eventbus.events.context import caused_by
from eventbus.inbox.taking.retry import Retry
from eventbus.inbox.taking.subscriptions import subscribe

__all__ = ["Retry", "caused_by", "insert", "subscribe"]
