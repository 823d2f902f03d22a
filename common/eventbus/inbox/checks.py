"""System checks of the consuming side."""

import inspect
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from eventbus.checks import with_settings
from eventbus.conf import bus_settings
from eventbus.database.alias import bus_alias, bus_connection
from eventbus.events import AnyEvent
from eventbus.inbox.parking import overview
from eventbus.inbox.running import health
from eventbus.inbox.taking.subscriptions import HandlerSubscription, subscriptions


@register()
@with_settings
def inbox_outlives_the_topic(**_: Any) -> list[CheckMessage]:
    """The inbox must outlive the topic: a redelivered event must still be recognized."""
    inbox = timedelta(days=bus_settings().inbox_retention_days)
    topic_ms = bus_settings().topic_retention_ms
    if not inbox or 0 <= topic_ms < inbox / timedelta(milliseconds=1):
        return []
    return [
        Error(
            "The inbox forgets events that Kafka still keeps, so they could be handled twice.",
            hint="Make INBOX_RETENTION_DAYS longer than TOPIC_RETENTION_MS. "
            "0 never forgets; it is required if the topic keeps its events forever.",
            id="eventbus_inbox.E001",
        )
    ]


@register()
def handlers_can_be_called(**_: Any) -> list[CheckMessage]:
    """A handler must be a plain function of one argument: an event, or a list of events."""
    return [
        Error(
            f"The handler {subscription.name} {problem}.",
            hint="A handler takes one argument: an event, or a list of events with batch=True.",
            obj=subscription.handler,
            id="eventbus_inbox.E002",
        )
        for subscription in subscriptions
        if (problem := _problem_with(subscription))
    ]


@register()
def handlers_have_names_of_their_own(**_: Any) -> list[CheckMessage]:
    """Handler names must be unique: replays and parked events refer to handlers by name."""
    counted = Counter(subscription.name for subscription in subscriptions)
    return [
        Error(
            f"{count} handlers have the name {name}.",
            hint="Rename one. To handle several types with one function, list them in a single "
            "@subscribe(A, B).",
            id="eventbus_inbox.E003",
        )
        for name, count in counted.items()
        if count > 1
    ]


@register()
@with_settings
def events_are_on_a_topic_that_is_read(**_: Any) -> list[CheckMessage]:
    """A handled event class needs a topic that this service reads."""
    found: list[CheckMessage] = []
    for subscription in subscriptions:
        for contract in subscription.contracts:
            topic = getattr(contract, "topic", None)
            if contract is AnyEvent:
                continue
            if topic is None:
                problem, hint = "has no topic", "Decorate the class with @event(type, topic=...)."
            elif bus_settings().consumer_topics and topic not in bus_settings().consumer_topics:
                problem = f"is on the topic {topic}, which this service does not read"
                hint = "Add the topic to CONSUMER_TOPICS."
            else:
                continue
            text = f"{contract.__qualname__}, which {subscription.name} handles, {problem}."
            found.append(Error(text, hint=hint, obj=subscription.handler, id="eventbus_inbox.E004"))
    return found


@register()
@with_settings
def one_worker_on_sqlite(**_: Any) -> list[CheckMessage]:
    """On SQLite, several workers would only wait for each other."""
    problem = too_many_workers(bus_settings().consumer_concurrency)
    return [Error(problem, id="eventbus_inbox.E005")] if problem else []


@register(Tags.database)
@with_settings
def no_parked_key_needs_a_decision(**options: Any) -> list[CheckMessage]:
    """Run by ``check --database`` and by ``migrate``, for the bus's database."""
    if bus_alias() not in (options["databases"] or ()):
        return []
    try:
        dead = health.dead()
    except DatabaseError:  # not migrated, or unavailable: other checks report that
        return []
    if not dead:
        return []
    return [
        Warning(
            f"{dead} parked {'key needs' if dead == 1 else 'keys need'} a decision.",
            hint="List them with the command `parked list` or in the admin.",
            id="eventbus_inbox.W001",
        )
    ]


@register(Tags.database)
@with_settings
def no_parked_event_lacks_its_handler(**options: Any) -> list[CheckMessage]:
    """Run by ``check --database`` and by ``migrate``, for the bus's database."""
    if bus_alias() not in (options["databases"] or ()):
        return []
    try:
        names = sorted(set(overview.abandoned().values_list("handler", flat=True)))
    except DatabaseError:  # not migrated, or unavailable: other checks report that
        return []
    return [
        Warning(
            f"Parked events wait for the handler {name}, which no longer exists.",
            hint="Restore the handler's name, or discard the events: the command "
            "`parked list` shows them.",
            id="eventbus_inbox.W002",
        )
        for name in names
    ]


def too_many_workers(concurrency: int) -> str:
    """Why the database does not support this concurrency; empty if it does."""
    if concurrency > 1 and bus_connection().vendor == "sqlite":
        return (
            "SQLite allows only one writer at a time: "
            "use PostgreSQL for a concurrency above 1 (--concurrency, CONSUMER_CONCURRENCY)."
        )
    return ""


def _problem_with(subscription: HandlerSubscription) -> str:
    handler = subscription.handler
    if inspect.iscoroutinefunction(handler) or inspect.isgeneratorfunction(handler):
        return "would do nothing when called: it is a coroutine function or a generator"
    try:
        inspect.signature(handler).bind("an event")
    except TypeError as error:
        return f"cannot be called with one argument: {error}"
    return ""
