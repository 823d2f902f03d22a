"""Decisions of people about parked events. Each is stored with its author and reason."""

from eventbus.database.alias import bus_atomic
from eventbus.inbox.models import ParkedDecision, ParkedEvent, ParkedKey
from eventbus.inbox.parking.overview import is_abandoned

Action = ParkedDecision.Action


class NotOpen(Exception):
    """The event does not exist, or is no longer waiting. The message says which."""


class HandlerGone(Exception):
    """The event waits for a handler that no longer exists. The message says what to do."""


def retry_now(event: int, by: str, reason: str = "") -> ParkedKey:
    """Make the line of this event due now, from its front, even if it is dead.

    :param event: id of a parked event.
    :param by: who made the decision.
    :returns: its key.
    :raises NotOpen: if the event is no longer waiting.
    :raises HandlerGone: if its handler no longer exists.
    """
    with bus_atomic():
        key, row = _lock(event)
        if is_abandoned(key):
            raise HandlerGone(
                f"Parked event {event} waits for the handler {key.handler}, which no longer "
                "exists: restore the handler's name, or discard the event"
            )
        key.go_on()
        key.save()
        ParkedDecision.objects.create(event_id=row.pk, action=Action.RETRY, by=by, reason=reason)
    return key


def discard(event: int, by: str, reason: str, *, release: bool = False) -> None:
    """Give up on an event: no handler will see it. Its bytes are kept.

    Events behind it keep waiting for a decision, or are retried immediately.

    :param event: id of a parked event.
    :param by: who made the decision.
    :param reason: why; must not be empty.
    :param release: retry the events behind it immediately.
    :raises NotOpen: if the event is no longer waiting.
    :raises ValueError: if the reason is empty.
    """
    if not reason.strip():
        raise ValueError("Discarding an event requires a reason")
    action = Action.DISCARD_AND_RELEASE if release else Action.DISCARD
    with bus_atomic():
        key, row = _lock(event)
        was_first = key.line().first() == row
        row.state = ParkedEvent.State.DISCARDED
        row.save(update_fields=["state"])
        if was_first:
            key.hold(None)
        if (release and was_first) or not key.line().exists():
            key.go_on()
        key.save()
        ParkedDecision.objects.create(event_id=row.pk, action=action, by=by, reason=reason.strip())


def _lock(event: int) -> tuple[ParkedKey, ParkedEvent]:
    key = ParkedKey.objects.select_for_update(of=("self",)).filter(events=event).first()
    if key is None:
        raise NotOpen(f"There is no parked event {event}")
    row = key.line().filter(pk=event).first()
    if row is None:
        raise NotOpen(f"Parked event {event} was already handled or discarded")
    return key, row
