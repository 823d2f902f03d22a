"""The library's only setting, ``EVENTBUS = {...}``: every key, its default and its meaning.

No other module of the library reads its own values from Django's settings.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, NamedTuple

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from msgspec import NODEFAULT, Meta

NAME = "EVENTBUS"
DAY_MS = 24 * 3600 * 1000


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """The keys of ``EVENTBUS`` in lower case. Only ``SERVICE_NAME`` has no default."""

    service_name: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=r"^[A-Za-z0-9._-]+$",
            description="The name of this project in the `source` of its events. Consumers "
            "identify an event by source and id together, so do not change it later.",
        ),
    ]
    publishes: Annotated[
        list[str],
        Meta(
            description="Modules whose contracts this project publishes, such as "
            '`["shop.contracts"]`. The relay waits for their topics, `create_topics` creates '
            "them, and publishing any other event is an error.",
        ),
    ] = []
    kafka: Annotated[
        dict[str, Any],
        Meta(
            description="Options for every kafka-python client, such as `bootstrap_servers`, "
            "`security_protocol` and `sasl_plain_password`.",
        ),
    ] = msgspec.field(default_factory=lambda: {"bootstrap_servers": ["localhost:9092"]})
    database_alias: Annotated[
        str,
        Meta(
            min_length=1,
            description="The database in `DATABASES` that holds the outbox and the inbox, whatever "
            "routers say. Changes commit atomically with their events, and handlers' writes with "
            "the inbox, only if they are in the same database.",
        ),
    ] = "default"
    schema_url: Annotated[
        str,
        Meta(
            description="Base URL of `dataschema` in published events; the event type and version "
            "are appended. If empty, events carry no `dataschema`.",
        ),
    ] = ""
    topic_partitions: Annotated[
        int, Meta(ge=1, description="Partitions of topics that `create_topics` creates.")
    ] = 6
    topic_replication_factor: Annotated[
        int, Meta(ge=1, description="Replication factor of topics that `create_topics` creates.")
    ] = 1
    topic_retention_ms: Annotated[
        int,
        Meta(
            ge=-1,
            description="Retention of the topics that `create_topics` creates, in milliseconds; "
            "-1 keeps messages forever.",
        ),
    ] = 7 * DAY_MS
    outbox_retention_days: Annotated[
        int,
        Meta(
            ge=0,
            description="How long relayed events stay in the outbox, in days; 0 keeps them "
            "forever.",
        ),
    ] = 30
    consumer_group: Annotated[
        str,
        Meta(description="The consumer group of the workers. If empty, `SERVICE_NAME`."),
    ] = ""
    consumer_topics: Annotated[
        list[str],
        Meta(
            description="The topics that the workers consume. If empty, those of the contracts "
            "that handlers subscribe to."
        ),
    ] = []
    consumer_concurrency: Annotated[
        int, Meta(ge=1, description="Number of worker processes per `consume_events`.")
    ] = 1
    session_timeout_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="How long until Kafka considers a silent worker dead, in milliseconds "
            "(`session.timeout.ms`).",
        ),
    ] = 6_000
    inbox_retention_days: Annotated[
        int,
        Meta(
            ge=0,
            description="How long the inbox remembers an event, in days; 0 remembers it forever. "
            "Must be longer than `TOPIC_RETENTION_MS`, or an event could be handled twice.",
        ),
    ] = 14

    @property
    def group(self) -> str:
        """The consumer group of this project."""
        return self.consumer_group or self.service_name

    @property
    def source(self) -> str:
        """The ``source`` of this project's events (CloudEvents 1.0, section 3.1.1)."""
        return f"/{self.service_name}"


class SettingProblem(NamedTuple):
    """What is wrong with one key, in one line, and how to fix it."""

    key: str
    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}. {self.hint}"


@cache
def bus_settings() -> BusSettings:
    """The settings of this project.

    :raises ImproperlyConfigured: if a key is missing, unknown or invalid; names the first one.
    """
    configured = getattr(settings, NAME, {})
    for problem in problems(configured):
        raise ImproperlyConfigured(str(problem))
    return msgspec.convert(dict(configured), BusSettings)


def problems(configured: Any) -> Iterator[SettingProblem]:
    """Everything wrong with a value of ``EVENTBUS``, key by key."""
    if not isinstance(configured, Mapping):
        yield SettingProblem(
            NAME, f"{NAME} must be a dict", 'Write EVENTBUS = {"SERVICE_NAME": "..."}.'
        )
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(BusSettings)}
    for key in configured:
        if key not in fields:
            yield _unknown(key, list(fields))
    for key, field in fields.items():
        if key not in configured:
            if field.default is NODEFAULT and field.default_factory is NODEFAULT:
                hint = f'Add it to settings.py: EVENTBUS = {{"{key}": ...}}.'
                yield SettingProblem(key, f"{NAME}[{key!r}] is missing", hint)
            continue
        try:
            msgspec.convert(configured[key], field.type)
        except msgspec.ValidationError as error:
            text = f"{NAME}[{key!r}] is invalid: {_plain(error)}"
            yield SettingProblem(key, text, _meaning(field))


def _unknown(key: object, known: list[str]) -> SettingProblem:
    close = get_close_matches(str(key).upper(), known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Valid keys: {', '.join(known)}."
    return SettingProblem(str(key), f"{NAME}[{key!r}] is not a setting", hint)


def _meaning(field: msgspec.structs.FieldInfo) -> str:
    meta: Meta = field.type.__metadata__[-1]
    return f"Its meaning: {meta.description}"


def _plain(error: msgspec.ValidationError) -> str:
    """The message with Python's names for types instead of JSON's."""
    text = str(error).replace("`", "").replace(" - at $", "")
    return text.replace("object", "dict").replace("array", "list")


def _forget(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        bus_settings.cache_clear()


setting_changed.connect(_forget)
