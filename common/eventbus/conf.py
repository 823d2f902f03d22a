"""The library's one setting, ``EVENTBUS = {...}``: every key, its default and its meaning.

Nothing else in the library reads Django's settings for a value of its own.
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
            description="What this project is called in the `source` of its events. Consumers "
            "identify an event by source and id together, so choose it once.",
        ),
    ]
    publishes: Annotated[
        list[str],
        Meta(
            description="Modules whose contracts this project publishes, such as "
            '`["shop.contracts"]`. The relay waits for their topics, `create_topics` creates '
            "them, and publishing any other event is refused.",
        ),
    ] = []
    kafka: Annotated[
        dict[str, Any],
        Meta(
            description="Options of every kafka-python client, such as `bootstrap_servers`, "
            "`security_protocol` and `sasl_plain_password`.",
        ),
    ] = msgspec.field(default_factory=lambda: {"bootstrap_servers": ["localhost:9092"]})
    database_alias: Annotated[
        str,
        Meta(
            min_length=1,
            description="The database in `DATABASES` that holds outbox and inbox, whatever "
            "routers say. Changes and their events, and what handlers write, commit together only "
            "if they are in it.",
        ),
    ] = "default"
    schema_url: Annotated[
        str,
        Meta(
            description="Where `dataschema` of published events points; the event type and "
            "version follow it. Left empty, events carry no `dataschema`.",
        ),
    ] = ""
    topic_partitions: Annotated[
        int, Meta(ge=1, description="Partitions of a topic that `create_topics` creates.")
    ] = 6
    topic_replication_factor: Annotated[
        int, Meta(ge=1, description="Replicas of a topic that `create_topics` creates.")
    ] = 1
    topic_retention_ms: Annotated[
        int,
        Meta(
            ge=-1,
            description="How long Kafka keeps the messages of a topic that `create_topics` "
            "creates, in milliseconds; -1 keeps them for ever.",
        ),
    ] = 7 * DAY_MS
    outbox_retention_days: Annotated[
        int,
        Meta(
            ge=0,
            description="How long relayed events stay in the outbox, in days; 0 keeps them "
            "for ever.",
        ),
    ] = 30
    consumer_group: Annotated[
        str,
        Meta(description="The consumer group of the workers. Left empty, `SERVICE_NAME`."),
    ] = ""
    consumer_topics: Annotated[
        list[str],
        Meta(
            description="The topics that workers read. Left empty, those of the contracts that "
            "handlers subscribe to."
        ),
    ] = []
    consumer_concurrency: Annotated[
        int, Meta(ge=1, description="Worker processes of one `consume_events`.")
    ] = 1
    session_timeout_ms: Annotated[
        int,
        Meta(
            ge=1,
            description="How soon Kafka notices that a worker is dead, in milliseconds "
            "(`session.timeout.ms`).",
        ),
    ] = 6_000
    inbox_retention_days: Annotated[
        int,
        Meta(
            ge=0,
            description="How long the inbox remembers an event, in days; 0 for ever. It must be "
            "longer than `TOPIC_RETENTION_MS`, or an event could be handled twice.",
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
    """What is wrong with one key, in one line, and what to do about it."""

    key: str
    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}. {self.hint}"


@cache
def bus_settings() -> BusSettings:
    """The settings of this project.

    :raises ImproperlyConfigured: when a key is missing, unknown or wrong; the text names the first.
    """
    configured = getattr(settings, NAME, {})
    for problem in problems(configured):
        raise ImproperlyConfigured(str(problem))
    return msgspec.convert(dict(configured), BusSettings)


def problems(configured: Any) -> Iterator[SettingProblem]:
    """Everything that is wrong with a value of ``EVENTBUS``, key by key."""
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
            text = f"{NAME}[{key!r}] is wrong: {_plain(error)}"
            yield SettingProblem(key, text, _meaning(field))


def _unknown(key: object, known: list[str]) -> SettingProblem:
    close = get_close_matches(str(key).upper(), known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"The keys are {', '.join(known)}."
    return SettingProblem(str(key), f"{NAME}[{key!r}] is not a setting", hint)


def _meaning(field: msgspec.structs.FieldInfo) -> str:
    meta: Meta = field.type.__metadata__[-1]
    return f"It is: {meta.description}"


def _plain(error: msgspec.ValidationError) -> str:
    """Its text in the words of Python instead of those of JSON."""
    text = str(error).replace("`", "").replace(" - at $", "")
    return text.replace("object", "dict").replace("array", "list")


def _forget(*, setting: str, **_: Any) -> None:
    if setting == NAME:
        bus_settings.cache_clear()


setting_changed.connect(_forget)
