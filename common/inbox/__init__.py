"""The consuming side: handlers, the worker that runs them, and what it remembers."""

from common.database.bulk import insert
from common.events.context import caused_by
from common.inbox.retry import Retry
from common.inbox.subscriptions import subscribe

__all__ = ["Retry", "caused_by", "insert", "subscribe"]
