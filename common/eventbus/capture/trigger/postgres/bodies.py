"""PostgreSQL: the bodies of the functions, in PL/pgSQL.

A payload is put together as text, constants and values in turn, because building it as ``jsonb``
takes several times as long. The ids of one statement are UUIDv7 with one random part, counted on
from there (RFC 9562, section 6.2, method 2): random bytes for each take a third of the time.
"""

import json

from eventbus.capture.models import Suppression
from eventbus.capture.publication import Verb
from eventbus.capture.trigger.definition import Definition
from eventbus.capture.trigger.postgres.values import (
    CAUSE_UNKNOWN,
    CONTEXT,
    CORRELATION,
    REFUSED,
    TOO_LARGE,
    Refuse,
    as_text,
    changed,
    differs,
    refusal,
    written,
)
from eventbus.capture.trigger.quoting import identifier, literal, member
from eventbus.conf import bus_settings
from eventbus.events.codec import MAX_EVENT_BYTES
from eventbus.outbox.models import LastSequence, OutboxEvent
from eventbus.outbox.publishing import schema_address

OUTBOX, SEQUENCES, SUPPRESSIONS = (
    identifier(model._meta.db_table) for model in (OutboxEvent, LastSequence, Suppression)
)

BODY = """
<<event>>
DECLARE
    context text := nullif(current_setting('{CONTEXT}', true), '');
    moment timestamptz := clock_timestamp();
    random_part text := gen_random_uuid()::text;
    opening text;
    first_number bigint := ('x' || right(random_part, 12))::bit(48)::bigint >> 1;
    middle text;
    members text;
    reused jsonb;
    again record;
    published bigint;
BEGIN{first}
    IF starts_with(context, '{{"settling"') THEN
        RETURN NULL;
    ELSIF starts_with(context, '{{"suppressed"') THEN{suppressed}
        RETURN NULL;
    ELSIF context IS NULL THEN
        members := ',"correlationid":"' || coalesce(
            nullif(current_setting('{CORRELATION}', true), ''),
            set_config('{CORRELATION}', gen_random_uuid()::text, true)
        ) || '","actor":' || to_json('database:' || session_user)::text;
    ELSE
        members := ',' || substr(context, 2, length(context) - 2);
    END IF;
    members := members || ',"data":{{';
    opening := lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0');
    opening := left(opening, 8) || '-' || right(opening, 4) || '-7'
        || substr(random_part, 16, 9);
    middle := {middle};
{insert}
    GET DIAGNOSTICS published = ROW_COUNT;
    IF published > 0 AND starts_with(context, '{{"unknown"') THEN
        RAISE EXCEPTION USING MESSAGE = context::jsonb ->> 'unknown', ERRCODE = '{CAUSE_UNKNOWN}';
    END IF;{last}
    RETURN NULL;
END
"""

INSERT = """
    {counting}INSERT INTO {OUTBOX} (
        id, aggregatetype, aggregateid, type, sequence, topic, payload, created_at
    )
    SELECT
        w.id::uuid, {aggregate}, w.subject, {type}, w.sequence, {topic},
        CASE WHEN octet_length(w.payload) > {MAX_EVENT_BYTES} THEN {too_large} ELSE w.payload END,
        event.moment
    FROM (
        SELECT
            c.id, c.subject, {sequence} AS sequence,
            {payload} AS payload
        FROM {changes} c{counted}
        OFFSET 0
    ) w;"""

SUPPRESSED = """
        SELECT count(*) INTO published FROM {rows}{condition};
        IF published > 0 THEN
            INSERT INTO {SUPPRESSIONS} AS s
                (block, event, reason, actor, correlation_id, changes, first_at, last_at)
            SELECT
                (j ->> 'block')::uuid, {aggregate}, j ->> 'suppressed', coalesce(j ->> 'actor', ''),
                coalesce(j ->> 'correlationid', ''), published, moment, moment
            FROM (SELECT context::jsonb AS j) c
            ON CONFLICT (block, event) DO UPDATE
            SET changes = s.changes + excluded.changes, last_at = excluded.last_at;
        END IF;"""

CHANGES = """(
        SELECT
            event.opening
                || lpad(to_hex(event.first_number + row_number() OVER ()), 12, '0') AS id,
            {subject} AS subject,
            {sequence} AS sequence,
            {data} AS data
        FROM {rows}{condition}
        OFFSET 0
    )"""

COUNTED = """WITH c AS MATERIALIZED {changes}, counted AS (
        INSERT INTO {SEQUENCES} AS s (aggregatetype, aggregateid, sequence)
        SELECT {aggregate}, c.subject, 1 FROM c ORDER BY c.subject COLLATE "C"
        ON CONFLICT (aggregatetype, aggregateid) DO UPDATE SET sequence = s.sequence + 1
        RETURNING s.aggregateid, s.sequence
    )
    """

REUSED = """
    SELECT jsonb_object_agg(s.subject, s.sequence) INTO reused FROM (
        SELECT {subject} AS subject, (
            SELECT l.sequence FROM {SEQUENCES} l
            WHERE l.aggregatetype = {aggregate} AND l.aggregateid = {subject}
        ) AS sequence
        FROM new_rows n
        OFFSET 0
    ) s WHERE s.sequence IS NOT NULL;
    IF reused IS NOT NULL THEN  -- these subjects were deleted, and go on counting
        PERFORM set_config('{CONTEXT}', '{{"settling":true}}', true);
        FOR again IN SELECT {identity} AS identity, {subject} AS subject FROM new_rows n LOOP
            UPDATE {table} t
            SET {counter} = (reused ->> again.subject)::bigint
                + CASE WHEN starts_with(context, '{{"suppressed"') THEN 0 ELSE 1 END
            WHERE t.{key} = again.identity AND reused ? again.subject;
        END LOOP;
        PERFORM set_config('{CONTEXT}', coalesce(context, ''), true);
    END IF;"""

ENDED = """
    INSERT INTO {SEQUENCES} AS s (aggregatetype, aggregateid, sequence)
    SELECT {aggregate}, {subject}, {sequence} FROM {rows} ORDER BY {subject} COLLATE "C"
    ON CONFLICT (aggregatetype, aggregateid) DO UPDATE SET sequence = excluded.sequence
    WHERE excluded.sequence > s.sequence;"""


def body(definition: Definition, verb: Verb, rows: str) -> str:
    """The body of a function that publishes what a statement did.

    :param rows: where the rows are: ``n`` after the statement, ``o`` before it.
    """
    has_counter = bool(definition.counter)
    return BODY.format(
        **_constants(definition),
        first=_reused(definition) if has_counter and verb == "created" else "",
        suppressed=_suppressed(definition, verb, rows)
        + (_ended(definition, rows, grown=0) if has_counter and verb == "deleted" else ""),
        middle=_middle(definition, verb),
        insert=_insert(definition, verb, rows),
        last=_ended(definition, rows) if has_counter and verb == "deleted" else "",
    )


def _constants(definition: Definition) -> dict[str, object]:
    return {
        "CONTEXT": CONTEXT,
        "CORRELATION": CORRELATION,
        "CAUSE_UNKNOWN": CAUSE_UNKNOWN,
        "OUTBOX": OUTBOX,
        "SEQUENCES": SEQUENCES,
        "SUPPRESSIONS": SUPPRESSIONS,
        "MAX_EVENT_BYTES": MAX_EVENT_BYTES,
        "aggregate": literal(definition.event),
    }


def _insert(definition: Definition, verb: Verb, rows: str) -> str:
    changes = _changes(definition, verb, rows)
    too_large = f"the event has more than {MAX_EVENT_BYTES:,} bytes: "
    constants = _constants(definition)
    is_counted = not definition.counter
    return INSERT.format(
        **constants,
        counting=COUNTED.format(**constants, changes=changes) if is_counted else "",
        type=literal(definition.event_type(verb)),
        topic=literal(definition.topic),
        too_large=refusal(definition, TOO_LARGE, too_large, "w.subject"),
        sequence="counted.sequence" if is_counted else "c.sequence",
        payload=_payload(definition, verb, "counted.sequence" if is_counted else "c.sequence"),
        changes="" if is_counted else changes,
        counted=" JOIN counted ON counted.aggregateid = c.subject" if is_counted else "",
    )


def _suppressed(definition: Definition, verb: Verb, rows: str) -> str:
    condition = f"\n        WHERE {changed(definition)}" if verb == "updated" else ""
    return SUPPRESSED.format(**_constants(definition), rows=rows, condition=condition)


def _changes(definition: Definition, verb: Verb, rows: str) -> str:
    row = "o" if verb == "deleted" else "n"
    subject = as_text(definition.subject, row)
    condition = ""
    if verb == "updated":
        key = identifier(definition.subject.column)
        refused = refusal(definition, REFUSED, NEVER, f"coalesce(o.{key}, n.{key})")
        other_row, no_step = _unfit(definition)
        condition = f"\n        WHERE {changed(definition)} OR {other_row}"
        subject = f"CASE WHEN {no_step} THEN {refused} ELSE {subject} END"
    return CHANGES.format(
        subject=subject,
        sequence=_sequence(definition, verb, row),
        data=_data(definition, verb, row),
        rows=rows,
        condition=condition,
    )


NEVER = "an update must not change the key or the counter of a row, but did so with "


def _unfit(definition: Definition) -> tuple[str, str]:
    """Which rows to look at although nothing watched changed, and which of them are refused."""
    identity = identifier(definition.identity)
    other_row = [f"o.{identity} IS NULL", f"n.{identity} IS NULL"]
    if definition.subject.column != definition.identity:
        other_row.append(differs(definition.subject))
    refused = list(other_row)
    if definition.counter:
        counter = identifier(definition.counter)
        other_row.append(f"n.{counter} <> o.{counter}")
        refused.append(f"n.{counter} <> o.{counter} + 1")
    return " OR ".join(other_row), " OR ".join(refused)


def _sequence(definition: Definition, verb: Verb, row: str) -> str:
    if not definition.counter:
        return "NULL::bigint"
    if verb == "created":
        return _new_counter(definition)
    return f"{row}.{identifier(definition.counter)}" + (" + 1" if verb == "deleted" else "")


def _new_counter(definition: Definition) -> str:
    """Of a new row: 1, or what its subject counts on from."""
    held = f"n.{identifier(definition.counter)}"
    found = f"(event.reused ->> {as_text(definition.subject, 'n')})::bigint + 1"
    return f"CASE WHEN event.reused IS NULL THEN {held} ELSE coalesce({found}, {held}) END"


def _data(definition: Definition, verb: Verb, row: str) -> str:
    """The members of ``data``, without the braces."""

    def refuse(text: str, held: str = "") -> str:
        return refusal(definition, REFUSED, text, held)

    parts: list[tuple[str, bool]] = []
    for number, value in enumerate(definition.values):
        parts.append((("," if number else "") + member(value), True))
        if verb == "created" and value.column == definition.counter:
            parts.append((f"({_new_counter(definition)})::text", False))
        else:
            parts.append((written(value, row, refuse), False))
    if verb == "updated":
        parts.append((',"previous":{', True))
        parts.append((_previous(definition, refuse), False))
        parts.append(("}", True))
    return _joined(parts)


def _previous(definition: Definition, refuse: Refuse) -> str:
    members = [
        f"CASE WHEN {differs(value)} THEN {literal(member(value))} || "
        f"({written(value, 'o', refuse)}) END"
        for value in definition.watched
    ]
    return "concat_ws(',', " + ",\n                ".join(members or ["NULL"]) + ")"


def _joined(parts: list[tuple[str, bool]]) -> str:
    """Constants and expressions as one expression of text."""
    found: list[str] = []
    constant = ""
    for text, is_constant in [*parts, ("", False)]:
        if is_constant:
            constant += text
            continue
        if constant:
            found.append(literal(constant))
            constant = ""
        if text:
            found.append(f"({text})" if text.startswith("CASE") else text)
    return "\n                || ".join(found)


def _payload(definition: Definition, verb: Verb, sequence: str) -> str:
    """The event, member by member in the order of ``Envelope``."""
    opening = (
        f'","source":{json.dumps(bus_settings().source)}'
        f',"type":{json.dumps(definition.event_type(verb))},"subject":'
    )
    is_text = definition.subject.kind == "text"
    subject = "to_json(c.subject)::text" if is_text else "'\"' || c.subject || '\"'"
    return _joined(
        [
            ('{"specversion":"1.0","id":"', True),
            ("c.id", False),
            (opening, True),
            (subject, False),
            ("event.middle", False),
            (subject, False),
            (',"sequence":', True),
            (f"{sequence}::text", False),
            ("event.members", False),
            ("c.data", False),
            ("}}", True),
        ]
    )


def _middle(definition: Definition, verb: Verb) -> str:
    """What is between the two places of the subject, the same for all rows."""
    schema = schema_address(definition.event_type(verb), definition.version(verb))
    dataschema = f',"dataschema":{json.dumps(schema)}' if schema else ""
    return (
        """',"time":"' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        """ || '","datacontenttype":"application/json"' || """
        + literal(f'{dataschema},"partitionkey":')
    )


def _reused(definition: Definition) -> str:
    return REUSED.format(
        **_constants(definition),
        subject=as_text(definition.subject, "n"),
        identity=f"n.{identifier(definition.identity)}",
        key=identifier(definition.identity),
        counter=identifier(definition.counter),
        table=identifier(definition.table),
    )


def _ended(definition: Definition, rows: str, grown: int = 1) -> str:
    """Remember where subjects ended: one past their last change, or there if nothing says so."""
    return ENDED.format(
        **_constants(definition),
        subject=as_text(definition.subject, "o"),
        sequence=f"o.{identifier(definition.counter)} + {grown}",
        rows=rows,
    )
