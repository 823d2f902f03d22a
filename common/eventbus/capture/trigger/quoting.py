"""Names and texts inside of SQL and JSON."""

import json

from eventbus.capture.trigger.definition import Value


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
