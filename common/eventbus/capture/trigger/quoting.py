"""Names, texts and subqueries inside of SQL, in the words that both databases understand."""

import json

from eventbus.capture.trigger.definition import OtherColumn, Value


def identifier(name: str) -> str:
    """Quoted, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a constant. The standard knows no escape but the doubled quote."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def member(value: Value) -> str:
    """Its name as the JSON of an object has it, with the colon."""
    return f"{json.dumps(value.name, ensure_ascii=False)}:"


IN_OTHER_TABLE = "(SELECT {what} FROM {table} b WHERE b.{key} = {held})"


def in_other_table(other: OtherColumn, held: str) -> str:
    """The value over a foreign key: a subquery, which finds one row by its index.

    :param held: the key, an expression.
    """
    return IN_OTHER_TABLE.format(
        what=f"b.{identifier(other.column)}" if other.column else "b.app_label || '.' || b.model",
        table=identifier(other.table),
        key=identifier(other.key),
        held=held,
    )
