"""System checks of ``EVENTBUS`` and of the database that it names; commands run them first."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connections

from eventbus.conf import NAME, bus_settings, problems

TAG = "eventbus"
"""For commands that need right settings and no other check."""

Check = Callable[..., list[CheckMessage]]


@register(TAG)
def settings_are_right(**_: Any) -> list[CheckMessage]:
    """Each key that is missing, unknown or wrong is an error of its own."""
    return [
        Error(problem.text + ".", hint=problem.hint, id="eventbus.E001")
        for problem in problems(getattr(settings, NAME, {}))
    ]


def with_settings(check: Check) -> Check:
    """A check that needs the settings, and says nothing where they are wrong: another one does."""

    @wraps(check)
    def run(**options: Any) -> list[CheckMessage]:
        if any(problems(getattr(settings, NAME, {}))):
            return []
        return check(**options)

    return run


@register()
@with_settings
def database_can_hold_outbox_and_inbox(**_: Any) -> list[CheckMessage]:
    """Run by ``migrate``, too: what is refused here never gets a table. It does not connect."""
    alias = bus_settings().database_alias
    if alias not in connections:
        return [
            Error(
                f"EVENTBUS['DATABASE_ALIAS'] is wrong: DATABASES has no {alias!r}.",
                hint=f"Name one of these: {', '.join(connections)}.",
                id="eventbus.E001",
            )
        ]
    vendor = connections[alias].vendor
    if vendor == "postgresql" and not _uses_psycopg3():
        return [
            Error(
                f"The event bus needs psycopg 3, and Django uses psycopg2 for {alias!r}.",
                hint='Run: python -m pip install "psycopg[binary]". Where both are installed, '
                "Django uses psycopg 3.",
                id="eventbus.E003",
            )
        ]
    if vendor in ("postgresql", "sqlite"):
        return []
    return [
        Error(
            f"The event bus cannot use the database {alias!r}: {UNFIT.get(vendor, UNTESTED)}.",
            hint="Use PostgreSQL, or SQLite if one worker is enough; EVENTBUS['DATABASE_ALIAS'] "
            "says which database it is.",
            id="eventbus.E002",
        )
    ]


UNTESTED = "it is tested on PostgreSQL and SQLite only"
UNFIT = {
    "mysql": "MySQL and MariaDB have no partial unique indexes, which keep the events of a key in "
    "order, and limit an index to 3,072 bytes, which the inbox's primary key exceeds"
}


def _uses_psycopg3() -> bool:
    # Imported here because it fails where no driver of PostgreSQL is installed.
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return is_psycopg3
