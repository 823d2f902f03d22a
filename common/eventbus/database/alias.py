"""The database that holds both outbox and inbox: ``EVENTBUS["DATABASE_ALIAS"]``."""

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.conf import bus_settings


def bus_alias() -> str:
    """The alias in ``DATABASES``."""
    return bus_settings().database_alias


def bus_connection() -> BaseDatabaseWrapper:
    """This thread's connection to the bus's database."""
    return connections[bus_alias()]


def bus_atomic() -> transaction.Atomic:
    """A transaction in the bus's database, or a savepoint if one is already open."""
    return transaction.atomic(using=bus_alias())
