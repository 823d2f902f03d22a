"""A record that was kept before it had chains gets them, and loses nothing."""

import os
from pathlib import Path

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


@pytest.fixture
def database_url(
    real: bool, databases: Databases, tmp_path: Path, request: pytest.FixtureRequest
) -> str:
    """An empty database, on a server that has the roles."""
    if not real:
        return f"sqlite:///{tmp_path}/audit.sqlite3"
    server: Postgres = request.getfixturevalue("consumer_postgres")
    server.execute("CREATE DATABASE audit_migrated OWNER audit")
    return server.url("audit_migrated", role="audit")


def test_old_entries_are_chained_and_put_into_their_months(database_url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": "for-tests-only"}

    def manage(*words: str) -> str:
        return run("audit", list(words), environment)

    manage("migrate", "audit", "0001", "--verbosity=0")
    manage("shell", "--command", FILL)
    manage("migrate", "--verbosity=0")
    assert "kept 2500" in manage("shell", "--command", COUNT)
    output = manage("verify")
    assert "2,500 entries verified; every chain holds." in output
    assert "old.events/2" in output
