"""SQLite: the triggers that publish the changes of one table, row by row.

They call functions that Django's connection to the bus's database registers (functions.py).
A program without them is refused each write: it cannot change a row without an event.
"""

from eventbus.capture.models import Suppression
from eventbus.capture.publication import Verb
from eventbus.capture.trigger.definition import (
    PUBLISHED_VERBS,
    Compiled,
    Definition,
    OtherColumn,
    Value,
    name_of,
)
from eventbus.capture.trigger.quoting import identifier, in_other_table, literal, member
from eventbus.outbox.models import LastSequence, OutboxEvent

TRIGGER = """CREATE TRIGGER {name} AFTER {action} ON {table} FOR EACH ROW
WHEN NOT eventbus_settling()
BEGIN
{statements}
END"""

ACTIONS = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}

OUTBOX, SEQUENCES, SUPPRESSIONS = (
    identifier(model._meta.db_table) for model in (OutboxEvent, LastSequence, Suppression)
)

REFUSE = """SELECT eventbus_refuse({message}) WHERE {condition}"""

SETTLE = """SELECT eventbus_settle(1);
UPDATE {table} SET {columns} WHERE {identity} = NEW.{identity};
SELECT eventbus_settle(0)"""

GROW = """INSERT INTO {SEQUENCES} (aggregatetype, aggregateid, sequence)
SELECT {aggregate}, {subject}, {sequence} WHERE {condition}
ON CONFLICT (aggregatetype, aggregateid) DO UPDATE SET sequence = {grown}"""

INSERT = """SELECT eventbus_begin();
INSERT INTO {OUTBOX} (
    id, aggregatetype, aggregateid, type, sequence, topic, payload, created_at
)
SELECT
    eventbus_id(), {aggregate}, {subject}, {type}, {sequence}, {topic},
    eventbus_payload({type}, {version}, {subject}, {sequence}, {data}),
    eventbus_moment()
FROM {rows} WHERE eventbus_publishes() AND ({condition})"""

SUPPRESSED = """INSERT INTO {SUPPRESSIONS}
(block, event, reason, actor, correlation_id, changes, first_at, last_at)
SELECT
    eventbus_suppressed('block'), {aggregate}, eventbus_suppressed('reason'),
    eventbus_suppressed('actor'), eventbus_suppressed('correlation'), 1,
    eventbus_now(), eventbus_now()
WHERE NOT eventbus_publishes() AND ({condition})
ON CONFLICT (block, event) DO UPDATE SET changes = changes + 1, last_at = excluded.last_at"""

LAST = """(SELECT l.sequence FROM {SEQUENCES} l
WHERE l.aggregatetype = {aggregate} AND l.aggregateid = {subject})"""


def compiled(definition: Definition) -> list[Compiled]:
    """The triggers of a definition."""
    made = [_trigger(definition, verb) for verb in PUBLISHED_VERBS]
    for role, value, beyond in definition.others:
        made += _guards(definition, role, value, beyond)
    return made


def drops(definition: Definition) -> list[str]:
    """The statements that remove them, also where the table is gone."""
    roles: list[str] = [*PUBLISHED_VERBS]
    for role, _, _ in definition.others:
        roles += [f"{role}_updated", f"{role}_deleted"]
    names = [identifier(name_of(definition.event, role)) for role in roles]
    return [f"DROP TRIGGER IF EXISTS {name}" for name in names]


GUARDS = {
    "updated": """CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW
WHEN OLD.{key} IS NOT NEW.{key} OR OLD.{column} IS NOT NEW.{column}
BEGIN
SELECT eventbus_refuse({message});
END""",
    "deleted": """CREATE TRIGGER {name} BEFORE DELETE ON {table} FOR EACH ROW
WHEN EXISTS (SELECT 1 FROM {published} WHERE {reference} = OLD.{key})
BEGIN
SELECT eventbus_keep({place}, OLD.{key}, {value});
END""",
}


def _guards(definition: Definition, role: str, value: Value, beyond: OtherColumn) -> list[Compiled]:
    """On a table that events of another one have a value of, which was declared never to change.

    When its row is deleted, the value is kept for what is deleted after it.
    """
    message = f"{definition.event}: {beyond.table}.{beyond.column} is declared never to change"
    made = []
    for verb, template in GUARDS.items():
        name = name_of(definition.event, f"{role}_{verb}")
        text = template.format(
            name=identifier(name),
            table=identifier(beyond.table),
            key=identifier(beyond.key),
            column=identifier(beyond.column),
            message=literal(f"{message}, and did"),
            published=identifier(definition.table),
            reference=identifier(value.column),
            place=_place(beyond),
            value=_json(value, f"OLD.{identifier(beyond.column)}"),
        )
        made.append(Compiled(name, text, (text,), beyond.table))
    return made


def _place(beyond: OtherColumn) -> str:
    return literal(f"{beyond.table}.{beyond.column}")


def _trigger(definition: Definition, verb: Verb) -> Compiled:
    name = name_of(definition.event, verb)
    statements = [
        *_before_the_event(definition, verb),
        _insert(definition, verb),
        _record_suppressed(definition, verb),
    ]
    text = TRIGGER.format(
        name=identifier(name),
        action=ACTIONS[verb],
        table=identifier(definition.table),
        statements="".join(f"{statement};\n" for statement in statements).rstrip(),
    )
    return Compiled(name, text, (text,), definition.table)


def _before_the_event(definition: Definition, verb: Verb) -> list[str]:
    """What is checked, counted and dated."""
    statements = []
    if verb == "updated":
        statements.append(_refuse_other_key(definition))
    if verb == "deleted":
        sequence, grown = "1", "sequence + 1"
        if definition.counter:  # where it ended is remembered, also if nothing is published
            sequence = f"OLD.{identifier(definition.counter)} + eventbus_publishes()"
            grown = "max(sequence, excluded.sequence)"
        statements.append(_grow(definition, verb, sequence, grown))
        return statements
    if definition.counter or definition.touched:
        statements.append(_settle(definition, verb))
    if not definition.counter:
        statements.append(_grow(definition, verb, "1", "sequence + 1"))
    return statements


def _refuse_other_key(definition: Definition) -> str:
    columns = dict.fromkeys([definition.identity, definition.subject.column])
    condition = " OR ".join(
        f"OLD.{identifier(column)} IS NOT NEW.{identifier(column)}" for column in columns
    )
    message = f"{definition.event}: an update must not change the key of a row"
    return REFUSE.format(message=literal(message), condition=condition)


def _settle(definition: Definition, verb: Verb) -> str:
    """Write the counter and the time of the row, whatever the statement said of them."""
    columns = []
    changed = _condition(definition, verb)
    if definition.counter:
        counter = identifier(definition.counter)
        held = f"coalesce({_last(definition, verb)}, 0)" if verb == "created" else f"OLD.{counter}"
        columns.append(f"{counter} = {held} + (eventbus_publishes() AND ({changed}))")
    if definition.touched:
        touched = identifier(definition.touched)
        kept = f"CASE WHEN eventbus_publishes() THEN OLD.{touched} ELSE NEW.{touched} END"
        columns.append(
            f"{touched} = eventbus_now()"
            if verb == "created"
            else f"{touched} = CASE WHEN eventbus_publishes() AND ({changed}) "
            f"THEN eventbus_now() ELSE {kept} END"
        )
    return SETTLE.format(
        table=identifier(definition.table),
        columns=", ".join(columns),
        identity=identifier(definition.identity),
    )


def _grow(definition: Definition, verb: Verb, sequence: str, grown: str) -> str:
    return GROW.format(
        SEQUENCES=SEQUENCES,
        aggregate=literal(definition.event),
        subject=_subject(definition, verb),
        sequence=sequence,
        grown=grown,
        condition="true"
        if definition.counter
        else f"eventbus_publishes() AND ({_condition(definition, verb)})",
    )


def _insert(definition: Definition, verb: Verb) -> str:
    # The row as it is now, with its counter and time.
    rows, row = f"{identifier(definition.table)} AS n", "n"
    condition = f"({_condition(definition, verb)}) AND n.{{0}} = NEW.{{0}}".format(
        identifier(definition.identity)
    )
    if verb == "deleted":
        rows, row, condition = "(SELECT 1)", "OLD", "true"
    return INSERT.format(
        OUTBOX=OUTBOX,
        aggregate=literal(definition.event),
        subject=_subject(definition, verb),
        type=literal(definition.event_type(verb)),
        version=definition.version(verb),
        sequence=_sequence(definition, verb, row),
        topic=literal(definition.topic),
        data=_data(definition, verb, row),
        rows=rows,
        condition=condition,
    )


def _record_suppressed(definition: Definition, verb: Verb) -> str:
    return SUPPRESSED.format(
        SUPPRESSIONS=SUPPRESSIONS,
        aggregate=literal(definition.event),
        condition=_condition(definition, verb),
    )


def _subject(definition: Definition, verb: Verb) -> str:
    """The key as text, as the events have it."""
    subject = definition.subject
    held = f"{'OLD' if verb == 'deleted' else 'NEW'}.{identifier(subject.column)}"
    return f"eventbus_text({literal(subject.kind)}, {held})"


def _sequence(definition: Definition, verb: Verb, row: str) -> str:
    if not definition.counter:
        return _last(definition, verb)
    return f"{row}.{identifier(definition.counter)}" + (" + 1" if verb == "deleted" else "")


def _last(definition: Definition, verb: Verb) -> str:
    return LAST.format(
        SEQUENCES=SEQUENCES,
        aggregate=literal(definition.event),
        subject=_subject(definition, verb),
    )


def _condition(definition: Definition, verb: Verb) -> str:
    """Whether there is something to tell."""
    if verb != "updated":
        return "true"
    return " OR ".join(_differs(value) for value in definition.watched) or "false"


def _differs(value: Value) -> str:
    """Compared as they are written: equal numbers and equal JSON can be stored in several ways."""
    column = identifier(value.column)
    if value.beyond is not None:
        return f"OLD.{column} IS NOT NEW.{column}"
    old, new = (_json(value, f"{row}.{column}") for row in ("OLD", "NEW"))
    return f"{old} IS NOT {new}"


def _data(definition: Definition, verb: Verb, row: str) -> str:
    members = [f"{literal(member(value))} || {_written(value, row)}" for value in definition.values]
    if verb == "updated":
        changed = [
            f"CASE WHEN {_differs(value)} THEN {literal(member(value))} || "
            f"{_written(value, 'OLD')} END"
            for value in definition.watched
        ]
        members.append(f"'\"previous\":' || eventbus_object({', '.join(changed)})")
    return "eventbus_object(" + ",\n    ".join(members) + ")"


def _written(value: Value, row: str) -> str:
    held = f"{row}.{identifier(value.column)}"
    if value.beyond is None:
        return _json(value, held)
    found = _json(value, in_other_table(value.beyond, held))
    return f"eventbus_found({_place(value.beyond)}, {held}, {found})"


def _json(value: Value, held: str) -> str:
    places = "NULL" if value.places is None else value.places
    return f"eventbus_json({literal(value.kind)}, {places}, {held})"
