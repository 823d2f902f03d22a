"""Existing data survives the migrations, in its new form."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.rig.postgres import Postgres
from tests.stack import Databases, run

pytestmark = pytest.mark.real_too

FILL = """
from datetime import datetime, timedelta, UTC
from django.db import connection
start = datetime(2026, 8, 30, tzinfo=UTC)
columns = "event_id, source, type, subject, time, actor, correlation_id, causation_id, topic," \\
    ' partition, "offset", headers, value, recorded_at'
with connection.cursor() as cursor:
    for number in range(2500):
        when = start + timedelta(hours=number)
        row = [f"e{number}", "/x", "x.y", "s", when, "eve", "", "", "old.events", number % 3,
               number, "[]", b"{}", when]
        marks = ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO audit_auditentry ({columns}) VALUES ({marks})", row)
"""
COUNT = "from audit_service.audit.models import *; print('kept', AuditEntry.objects.count())"


NOTIFY = """
from django.contrib.auth.models import Permission, User
from django.db import connection
User.objects.create_superuser("admin")
User.objects.create_user("stranger")
reader = User.objects.create_user("reader")
reader.user_permissions.add(Permission.objects.get(codename="view_notification"))
columns = "event_id, kind, product_id, text, created_at, read_at"
with connection.cursor() as cursor:
    for number in range(1200):
        when = "2026-08-30T12:00:00Z"
        read_at = None if number % 2 else when
        row = [f"e{number}", "created", "7", f"Pot {number} is new.", when, read_at]
        marks = ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO notifications_notification ({columns}) VALUES ({marks})", row)
"""
TOLD = """
from notification_service.notifications.models import Notification, Subscription
for name in ("admin", "reader", "stranger"):
    own = Notification.objects.filter(user__username=name)
    unread = own.filter(read_at=None).count()
    days = {f"{one.created_at:%Y-%m-%d}" for one in own}
    print(name, own.count(), unread, *days, *Subscription.objects.filter(owner__username=name))
"""
SEND = """
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
state = MigrationLoader(connection).project_state([("notifications", "0005_boundary_times")])
model = lambda name: state.apps.get_model("notifications", name).objects
ada = state.apps.get_model("auth", "User").objects.create(username="ada")
subscription = model("Subscription").create(owner=ada, channel="inbox")
for channel, answer in (("inbox", "in the inbox"), ("email", "accepted")):
    about = {"event_id": channel, "product_id": "7", "at": timezone.now(), "data": "{}"}
    event = model("ProductEvent").create(**about)
    model("Delivery").create(
        subscription=subscription, event=event, owner=ada, channel=channel, answer=answer,
        due_at=timezone.now(),
    )
"""
CHANNELS = """
from notification_service.notifications.models import Delivery, Subscription
for channel in Subscription.objects.values_list("channel", flat=True):
    print("subscription", channel)
for words in Delivery.objects.order_by("id").values_list("channel", "answer"):
    print("delivery", *words)
"""


Manage = Callable[..., str]


@pytest.fixture
def empty(
    real: bool, databases: Databases, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], Manage]:
    """Runs commands of a service on an empty database, on a server with the roles."""

    def make(service: str) -> Manage:
        url = f"sqlite:///{tmp_path}/{service}.sqlite3"
        if real:
            server: Postgres = request.getfixturevalue("consumer_postgres")
            name = f"{service}_migrated_{uuid4().hex}"  # the server is shared by all tests
            server.execute(f"CREATE DATABASE {name} OWNER {service}")
            url = server.url(name, role=service)
        environment = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": "for-tests-only"}
        return lambda *words: run(service, list(words), environment)

    return make


def test_what_everybody_saw_is_notified_to_each(empty: Callable[[str], Manage]) -> None:
    manage = empty("notification")
    manage("migrate", "notifications", "0001", "--verbosity=0")
    for app in ("auth", "contenttypes"):
        manage("migrate", app, "--verbosity=0")
    manage("shell", "--command", NOTIFY)
    manage("migrate", "--verbosity=0")
    lines = manage("shell", "--command", TOLD).splitlines()
    everything = "1200 600 2026-08-30 any change, all products, in-app"
    assert [line for line in lines if line.startswith(("admin", "reader", "stranger"))] == [
        f"admin {everything}", f"reader {everything}", "stranger 0 0",
    ]  # fmt: skip


def test_the_channel_of_in_app_notifications_is_renamed(empty: Callable[[str], Manage]) -> None:
    manage = empty("notification")
    manage("migrate", "notifications", "0005", "--verbosity=0")
    manage("shell", "--command", SEND)
    before = ["subscription inbox", "delivery inbox in the inbox", "delivery email accepted"]
    assert channels(manage) == before
    manage("migrate", "notifications", "--verbosity=0")
    assert channels(manage) == [
        "subscription in_app", "delivery in_app in the application", "delivery email accepted",
    ]  # fmt: skip
    manage("migrate", "notifications", "0005", "--verbosity=0")
    assert channels(manage) == before


def channels(manage: Manage) -> list[str]:
    lines = manage("shell", "--command", CHANNELS).splitlines()
    return [line for line in lines if line.startswith(("subscription ", "delivery "))]


def test_old_entries_are_chained_and_put_into_their_months(
    empty: Callable[[str], Manage],
) -> None:
    manage = empty("audit")
    manage("migrate", "audit", "0001", "--verbosity=0")
    manage("shell", "--command", FILL)
    manage("migrate", "--verbosity=0")
    assert "kept 2500" in manage("shell", "--command", COUNT)
    output = manage("verify")
    assert "2,500 entries verified; all chains are intact." in output
    assert "old.events/2" in output
