"""System checks for ``EVENTBUS`` and the database it names; the commands run them first."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router

from eventbus.conf import NAME, bus_settings, problems

TAG = "eventbus"
"""For commands that require valid settings but no other check."""

Check = Callable[..., list[CheckMessage]]


@register(TAG)
def settings_are_right(**_: Any) -> list[CheckMessage]:
    """Report each missing, unknown or invalid key as a separate error."""
    return [
        Error(problem.text + ".", hint=problem.hint, id="eventbus.E001")
        for problem in problems(getattr(settings, NAME, {}))
    ]


def with_settings(check: Check) -> Check:
    """Skip a check while the settings are invalid; ``settings_are_right`` reports that."""

    @wraps(check)
    def run(**options: Any) -> list[CheckMessage]:
        if any(problems(getattr(settings, NAME, {}))):
            return []
        return check(**options)

    return run


@register()
@with_settings
def database_can_hold_outbox_and_inbox(**_: Any) -> list[CheckMessage]:
    """``migrate`` runs it too, so an unsupported database never gets the tables.

    It does not connect to the database.
    """
    alias = bus_settings().database_alias
    if alias not in connections:
        return [
            Error(
                f"EVENTBUS['DATABASE_ALIAS'] is invalid: DATABASES has no {alias!r}.",
                hint=f"Use one of: {', '.join(connections)}.",
                id="eventbus.E001",
            )
        ]
    vendor = connections[alias].vendor
    if vendor == "postgresql" and not _uses_psycopg3():
        return [
            Error(
                f"The event bus requires psycopg 3, but Django uses psycopg2 for {alias!r}.",
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
            hint="Use PostgreSQL, or SQLite if one worker is enough. EVENTBUS['DATABASE_ALIAS'] "
            "selects the database.",
            id="eventbus.E002",
        )
    ]


@register()
@with_settings
def routers_let_the_tables_be_created(**_: Any) -> list[CheckMessage]:
    """``migrate`` leaves out, without a word, what a router's ``allow_migrate()`` refuses."""
    alias = bus_settings().database_alias
    if alias not in connections:  # another check says so
        return []
    models = [model for model in apps.get_models() if model._meta.app_label in APP_LABELS]
    refused = [model for model in models if not router.allow_migrate_model(alias, model)]
    if not refused:
        return []
    elsewhere = [
        repr(other) for other in connections if router.allow_migrate_model(other, refused[0])
    ]
    instead = f", but in {' and '.join(elsewhere)}" if elsewhere else ""
    return [
        Error(
            f"DATABASE_ROUTERS do not let migrate create {refused[0]._meta.label} in the event "
            f"bus's database {alias!r}{instead}.",
            hint=f"Let allow_migrate() return True or None for {alias!r} and the apps "
            f"{' and '.join(APP_LABELS)}, or name another database in "
            "EVENTBUS['DATABASE_ALIAS'].",
            id="eventbus.E004",
        )
    ]


APP_LABELS = ("eventbus_outbox", "eventbus_inbox")
UNTESTED = "it is tested on PostgreSQL and SQLite only"
UNFIT = {
    "mysql": "MySQL and MariaDB lack partial unique indexes, which keep the events of a key in "
    "order, and limit an index to 3,072 bytes, which the inbox's primary key exceeds"
}


def _uses_psycopg3() -> bool:
    # Imported here because it fails where no PostgreSQL driver is installed.
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return is_psycopg3
