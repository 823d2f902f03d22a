"""The one database that outbox and inbox live in: ``EVENTBUS["DATABASE_ALIAS"]``."""

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.conf import bus_settings


def bus_alias() -> str:
    """The alias in ``DATABASES``."""
    return bus_settings().database_alias


def bus_connection() -> BaseDatabaseWrapper:
    """The connection of this thread."""
    return connections[bus_alias()]


def bus_atomic() -> transaction.Atomic:
    """A transaction, or a savepoint in the one that is open."""
    return transaction.atomic(using=bus_alias())
