"""What people decide about parked events. Each decision is kept, with who made it and why."""

from eventbus.database.alias import bus_atomic
from eventbus.inbox.models import ParkedDecision, ParkedEvent, ParkedKey
from eventbus.inbox.parking.overview import is_abandoned

Action = ParkedDecision.Action


class NotOpen(Exception):
    """There is no such event, or it does not wait any more. The text says which."""


class HandlerGone(Exception):
    """The event waits for a handler that does not exist any more. The text says what to do."""


def retry_now(event: int, by: str, reason: str = "") -> ParkedKey:
    """Let a worker try the line of this event at once, from its front, dead or not.

    :param event: id of a parked event.
    :param by: who decides.
    :returns: its key.
    :raises NotOpen: when the event does not wait any more.
    :raises HandlerGone: when there is nobody to try it.
    """
    with bus_atomic():
        key, row = _lock(event)
        if is_abandoned(key):
            raise HandlerGone(
                f"Parked event {event} waits for the handler {key.handler}, which does not exist "
                "any more: give it its old name back, or discard the event"
            )
        key.go_on()
        key.save()
        ParkedDecision.objects.create(event_id=row.pk, action=Action.RETRY, by=by, reason=reason)
    return key


def discard(event: int, by: str, reason: str, *, release: bool = False) -> None:
    """Give an event up: no handler will see it. Its bytes stay.

    Where others wait behind it, they go on waiting for a person, or are tried at once.

    :param event: id of a parked event.
    :param by: who decides.
    :param reason: why; it must say something.
    :param release: try the followers at once.
    :raises NotOpen: when the event does not wait any more.
    :raises ValueError: when the reason is empty.
    """
    if not reason.strip():
        raise ValueError("A discarded event needs a reason")
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
        raise NotOpen(f"Parked event {event} was handled or discarded before")
    return key, row
