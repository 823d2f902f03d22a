"""System checks of what is published of models."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.db import router

from eventbus.capture.contracts.comparing import differences, missing
from eventbus.capture.registry import publications
from eventbus.checks import with_settings
from eventbus.database.alias import bus_alias
from eventbus.outbox.published import published


@register()
@with_settings
def contracts_fit_models(**_: Any) -> list[CheckMessage]:
    """What does not fit would fail inside the transaction of whoever changes a row."""
    try:
        published()
    except ImportError:
        return []  # another check says so
    return [
        message
        for publication in publications()
        for message in (
            *_without_contracts(str(publication), publication.event, missing(publication)),
            *_different(str(publication), publication.event, list(differences(publication))),
        )
    ]


def _without_contracts(what: str, event: str, types: list[str]) -> list[CheckMessage]:
    if not types:
        return []
    return [
        Error(
            f"{what}: no contract in EVENTBUS['PUBLISHES'] defines {', '.join(types)}.",
            hint=f"Run: python manage.py write_contracts {event}",
            id="eventbus_capture.E001",
        )
    ]


def _different(what: str, event: str, found: list[str]) -> list[CheckMessage]:
    hint = f"Run: python manage.py write_contracts {event}"
    return [
        Error(f"{what}: {difference}.", hint=hint, id="eventbus_capture.E002")
        for difference in found
    ]


@register()
@with_settings
def published_models_are_in_the_database_of_the_bus(**_: Any) -> list[CheckMessage]:
    """A change and its event commit together only there."""
    return [
        Error(
            f"{publication}: the model is written to the database "
            f"{router.db_for_write(publication.model)!r} and the outbox is in {bus_alias()!r}, so "
            "one could commit without the other.",
            hint="Let EVENTBUS['DATABASE_ALIAS'] name the database of the model.",
            id="eventbus_capture.E003",
        )
        for publication in publications()
        if router.db_for_write(publication.model) != bus_alias()
    ]
