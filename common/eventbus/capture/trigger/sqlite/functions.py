"""SQLite: the functions that the triggers call, registered on Django's connection.

They write values and envelopes in Python, as ``eventbus.outbox.publish`` does.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import msgspec
import uuid_utils.compat
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus.capture.suppressing import suppression
from eventbus.events import ContractViolation, Envelope, encode
from eventbus.events.context import CauseUnknown, current
from eventbus.outbox.publishing import origin, schema_address

SIGNIFICANT_DIGITS = Context(prec=15)
"""Of decimals, which SQLite holds as floating point: as Django reads them."""


class TriggerSession:
    """What the triggers of one connection are at.

    :param connection: Django's.
    :param is_library_settling: whether the library itself writes counters now.
    """

    def __init__(
        self, connection: BaseDatabaseWrapper, is_library_settling: Callable[[], bool]
    ) -> None:
        self._connection: Any = connection
        self._is_library_settling = is_library_settling
        self._event_id = uuid_utils.compat.uuid7()
        self._moment = datetime.now(UTC)
        self._is_settling = False
        self._raised: Exception | None = None
        self._kept: dict[tuple[str, Any], str] = {}

    def register(self) -> None:
        """Register the functions with the SQLite connection."""
        functions: list[tuple[str, int, Callable[..., Any]]] = [
            ("eventbus_begin", 0, self.begin),
            ("eventbus_id", 0, lambda: self._event_id.hex),
            ("eventbus_moment", 0, lambda: self._stored(self._moment)),
            ("eventbus_now", 0, lambda: self._stored(datetime.now(UTC))),
            ("eventbus_publishes", 0, lambda: suppression() is None),
            ("eventbus_suppressed", 1, _suppressed),
            ("eventbus_settling", 0, self.is_settling),
            ("eventbus_settle", 1, self.settle),
            ("eventbus_refuse", 1, self.refuse),
            ("eventbus_json", 3, self.written),
            ("eventbus_text", 2, self.text),
            ("eventbus_keep", 3, self.keep),
            ("eventbus_found", 3, self.found),
            ("eventbus_object", -1, _object),
            ("eventbus_payload", 5, self.payload),
        ]
        for name, arguments, function in functions:
            self._connection.connection.create_function(name, arguments, self._watched(function))

    def let_replace_delete(self) -> None:
        """Have INSERT OR REPLACE fire the triggers of the rows that it deletes.

        https://www.sqlite.org/lang_conflict.html
        """
        self._connection.connection.execute("PRAGMA recursive_triggers = ON")

    def start(self) -> None:
        """Forget what a statement that failed has left."""
        self._is_settling, self._raised = False, None

    @property
    def raised(self) -> Exception | None:
        """What a function raised: SQLite says no more than that one did."""
        return self._raised

    def begin(self) -> None:
        """Begin an event: its id and its time are used twice."""
        self._event_id, self._moment = uuid_utils.compat.uuid7(), datetime.now(UTC)

    def is_settling(self) -> bool:
        """Whether counters are written, by a trigger or by the library."""
        return self._is_settling or self._is_library_settling()

    def settle(self, begins: int) -> None:
        """Let the triggers write their own columns without looking at that."""
        self._is_settling = bool(begins)

    def refuse(self, message: str) -> None:
        """Have the statement fail."""
        raise ContractViolation(message)

    def payload(self, event_type: str, version: int, subject: str, sequence: int, data: str) -> str:
        """The whole event."""
        envelope = Envelope(
            **{**origin(), "time": self._moment},
            id=str(self._event_id),
            type=event_type,
            subject=subject,
            dataschema=schema_address(event_type, version),
            partitionkey=subject,
            sequence=sequence,
            data=msgspec.Raw(data.encode()),
        )
        return encode(envelope).decode()

    def text(self, kind: str, held: Any) -> str:
        """A key as text."""
        return str(self._value(kind, None, held))

    def keep(self, place: str, key: Any, json_text: str) -> None:
        """Keep the value of a row that is deleted before those that lead to it."""
        self._kept[place, key] = json_text

    def found(self, place: str, key: Any, json_text: str) -> str:
        """The value over a foreign key; of a row that is gone, the one that was kept."""
        return self._kept.get((place, key), json_text) if json_text == "null" else json_text

    def written(self, kind: str, places: int | None, held: Any) -> str:
        """The JSON of a column's value, the same for equal values."""
        if held is None:
            return "null"
        value = self._value(kind, places, held)
        if isinstance(value, float) and not math.isfinite(value):
            raise ContractViolation(f"{value} is no number of JSON")
        return msgspec.json.encode(value, order="sorted").decode()

    def _value(self, kind: str, places: int | None, held: Any) -> Any:
        if kind == "decimal":
            quantum = Decimal(1).scaleb(-(places or 0))
            return SIGNIFICANT_DIGITS.create_decimal_from_float(held).quantize(quantum)
        if kind == "moment":
            naive = datetime.fromisoformat(held)
            return naive.replace(tzinfo=self._connection.timezone).astimezone(UTC)
        return READ[kind](held)

    def _stored(self, moment: datetime) -> str:
        """A time as Django stores it."""
        return str(self._connection.ops.adapt_datetimefield_value(moment))

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except Exception as error:
                self._raised = error
                raise

        return call


READ: dict[str, Callable[[Any], Any]] = {
    "integer": int,
    "text": str,
    "address": str,
    "content type": str,
    "boolean": bool,
    "float": float,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "duration": lambda held: timedelta(microseconds=held),
    "uuid": UUID,
    "json": json.loads,
    "binary": bytes,
}
"""By kind: the value of what SQLite holds."""


def _object(*members: str | None) -> str:
    return "{" + ",".join(member for member in members if member is not None) + "}"


def _suppressed(what: str) -> str:
    """What a record of suppressed changes says of them."""
    inside = suppression()
    if inside is None:
        return ""
    if what == "block":
        return inside.block.hex
    if what == "reason":
        return inside.reason
    try:
        context = current()
    except CauseUnknown:
        return ""
    return context.actor() if what == "actor" else context.correlation_id
