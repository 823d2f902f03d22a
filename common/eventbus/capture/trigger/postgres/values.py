"""PostgreSQL: the expressions that write a column's value as JSON, as ``eventbus.events`` would.

Each is written for the column: ``to_jsonb`` of a whole row costs three times as much, and depends
on settings of the session.
"""

from collections.abc import Callable

from eventbus.capture.trigger.definition import Definition, OtherColumn, Value, name_of
from eventbus.capture.trigger.quoting import identifier, in_other_table, literal

Refuse = Callable[..., str]
"""Makes the expression that raises an error, of a text and, if wanted, an expression after it."""


CAUSE_UNKNOWN, TOO_LARGE, REFUSED = "EB001", "EB002", "EB003"
"""``SQLSTATE`` of what the functions raise, which the connection turns into the bus's own errors.
PostgreSQL has no class of errors with these letters.
"""

CONTEXT, CORRELATION = "eventbus.context", "eventbus.correlation"
"""Settings of the transaction: what Django's connection says of the origin (origin.py), and the
correlation id that all changes of another program's transaction share."""


def written(value: Value, row: str, refuse: Refuse) -> str:
    """The expression for the JSON of a value, never null.

    :param row: the alias of the row, such as ``n``.
    :param refuse: for what no contract can hold.
    """
    held = f"{row}.{identifier(value.column)}"
    where = value.name
    if value.beyond is None:
        expression = _json(value.kind, held, where, refuse)
    else:
        found = _json(value.kind, in_other_table(value.beyond, held), where, refuse)
        kept = f"nullif(current_setting({kept_name(value.beyond, held)}, true), '')"
        missing = "'null'" if value.nullable else refuse(f"{where} leads to no row")
        expression = f"coalesce({found}, {kept}, {missing})"
    if value.nullable:
        return f"CASE WHEN {held} IS NULL THEN 'null' ELSE {expression} END"
    return expression


def kept_name(beyond: OtherColumn, held: str) -> str:
    """The setting that keeps a value whose row was deleted earlier in the transaction.

    :param held: the key of that row, an expression.
    """
    place = literal(f"{beyond.table}.{beyond.column}.")
    return f"'eventbus.kept_' || md5({place} || {held}::text)"


def differs(value: Value, old: str = "o", new: str = "n") -> str:
    """The condition that a value is not what it was, in two rows."""
    column = identifier(value.column)
    if value.beyond is None and value.kind == "text":
        # A collation may hold different texts for equal, and so does citext.
        return f'{old}.{column}::text COLLATE "C" IS DISTINCT FROM {new}.{column}::text'
    return f"{old}.{column} IS DISTINCT FROM {new}.{column}"


def as_text(value: Value, row: str) -> str:
    """The expression for a key as text."""
    return f"{row}.{identifier(value.column)}::text"


def _json(kind: str, held: str, where: str, refuse: Refuse) -> str:
    if kind.startswith("array of "):
        return _array(kind, held, where, refuse)
    if kind in GUARDS:
        guard = GUARDS[kind].format(held=held)
        text = WRITTEN[kind].format(held=held)
        return f"CASE WHEN {guard} THEN {refuse(f'{where} holds ', held)} ELSE {text} END"
    return WRITTEN[kind].format(held=held)


def _array(kind: str, held: str, where: str, refuse: Refuse) -> str:
    """The items by their places: ``unnest`` would flatten an array of arrays."""
    expression = held
    places: list[str] = []
    while kind.startswith("array of "):
        kind = kind.removeprefix("array of ")
        places.append(f"i{len(places) + 1}")
    item = held + "".join(f"[{place}]" for place in places)
    nothing = refuse(f"{where} holds an array with a null")
    expression = f"coalesce({_json(kind, item, where, refuse)}, {nothing})"
    for dimension in range(len(places), 0, -1):
        place = places[dimension - 1]
        expression = ITEMS.format(item=expression, place=place, held=held, dimension=dimension)
    return expression


ITEMS = """(SELECT '[' || coalesce(string_agg({item}, ',' ORDER BY {place}), '') || ']'
FROM generate_subscripts({held}, {dimension}) AS {place})"""


WRITTEN = {
    "integer": "{held}::text",
    "text": "to_json({held}::text)::text",
    "address": "to_json(host({held}))::text",
    "boolean": "{held}::text",
    "decimal": """'"' || {held}::text || '"'""",
    "float": "to_json({held})::text",
    "date": "to_json({held})::text",
    "moment": """'"' || to_char({held} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') """
    """|| '"'""",
    "time": """'"' || {held}::text || '"'""",
    "duration": """'"' || CASE WHEN {held} < interval '0' THEN '-' ELSE '' END """
    """|| 'PT' || abs(extract(epoch FROM {held}))::text || 'S"'""",
    "uuid": """'"' || {held}::text || '"'""",
    "json": "{held}::text",
    "binary": """'"' || translate(encode({held}, 'base64'), chr(10), '') || '"'""",
    "content type": "to_json({held})::text",
}
"""By kind: the JSON of a value. None depends on settings of the session, but for those that the
functions fix (``SETTINGS`` in triggers.py)."""

GUARDS = {
    "float": "{held} IN ('NaN', 'Infinity', '-Infinity')",
    "date": "{held} NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'",
    "moment": "{held} NOT BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' "
    "AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'",
    "time": "{held} = TIME '24:00'",
}
"""By kind: what neither Python nor a contract holds."""


def changed(definition: Definition, old: str = "o", new: str = "n") -> str:
    """Whether the difference between two rows is published."""
    return " OR ".join(differs(value, old, new) for value in definition.watched) or "false"


def refusal(definition: Definition, code: str, text: str, held: str = "") -> str:
    """An expression that raises an error.

    :param held: an expression to put at the end of the text.
    """
    message = literal(f"{definition.event}: {text}")
    if held:
        message += f" || coalesce({held}::text, '')"
    function = identifier(name_of(definition.event, "refused"))
    return f"{function}({literal(code)}, {message})"
