import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from common.contracts.product import ProductCreated
from common.tests.app import handlers
from common.tests.app.models import Note, Written
from demo.broker import EmbeddedBroker
from eventbus.inbox.taking import subscriptions
from eventbus.inbox.taking.subscriptions import HandlerSubscription
from eventbus.testing.bus import bus

if TYPE_CHECKING:
    from pytest_django import Settings
else:
    Settings = Any  # of older versions of pytest-django, which these tests run on too

__all__ = ["Settings", "bus"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(vendor): a test for one kind of database")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, on one kind of database, the tests for the other one; CI runs both."""

    def is_for_another(item: pytest.Item) -> bool:
        marker = item.get_closest_marker("only_on")
        return marker is not None and connection.vendor not in marker.args

    config.hook.pytest_deselected(items=[item for item in items if is_for_another(item)])
    items[:] = [item for item in items if not is_for_another(item)]


def product(product_id: int = 1, version: int = 1, **changes: Any) -> ProductCreated:
    """An event about a kettle."""
    now = datetime.now(UTC)
    fields = {
        "id": product_id,
        "sku": f"S{product_id}",
        "name": "Kettle",
        "description": "",
        "category": None,
        "price": Decimal("5.00"),
        "currency": "EUR",
        "stock": 1,
        "is_active": True,
        "version": version,
        "created_at": now,
        "updated_at": now,
    }
    return ProductCreated(**{**fields, **changes})


def poison(product_id: int, version: int) -> ProductCreated:
    """An event that makes the handler fail, until :func:`heal`."""
    return product(product_id, version, price=handlers.BROKEN)


def hopeless(product_id: int, version: int) -> ProductCreated:
    """The same, with an error that the handler's policy does not retry."""
    return product(product_id, version, price=handlers.HOPELESS)


def locked() -> OperationalError:
    """The transient error of a busy SQLite file."""
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = OperationalError("database is locked")
    error.__cause__ = cause
    return error


def called(*command: str) -> str:
    """The output of a management command."""
    output = StringIO()
    call_command(*command, stdout=output, stderr=output)
    return output.getvalue()


def written() -> list[str]:
    """What the handler wrote, as ``product.version``, in order."""
    return [str(row) for row in Written.objects.order_by("id")]


def noted() -> list[str]:
    """What the test's own handler wrote, as ``product.version``, in order."""
    return [str(row) for row in Note.objects.order_by("id")]


@pytest.fixture
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[HandlerSubscription]]:
    """Removes the test's subscriptions afterwards."""
    own = list(subscriptions.subscriptions)
    yield subscriptions.subscriptions
    subscriptions.subscriptions[:] = own


@pytest.fixture
def heal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to make the handler succeed for every event."""
    return lambda: monkeypatch.setattr(handlers, "broken_prices", set())


@pytest.fixture
def broker(settings: Settings) -> Iterator[EmbeddedBroker]:
    """An embedded broker that the settings point to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broker = EmbeddedBroker(port)
    settings.EVENTBUS = {**settings.EVENTBUS, "KAFKA": {"bootstrap_servers": [broker.server]}}
    broker.start()
    yield broker
    broker.stop()
