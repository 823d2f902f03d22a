"""PostgreSQL: the functions and triggers that publish the changes of one table.

Statement triggers see all rows of a statement at once, in transition tables, and insert their
events with one statement. One trigger for each row runs before the change, where the model has
columns of its own that count and date the changes.

None of the triggers depends on a column as PostgreSQL understands it (``UPDATE OF``, ``WHEN``): it
would refuse to change the type of that column, and drop the trigger together with it.
https://www.postgresql.org/docs/current/sql-createtrigger.html
"""

from eventbus.capture.publication import Verb
from eventbus.capture.trigger.definition import Compiled, Definition, name_of
from eventbus.capture.trigger.postgres.bodies import body
from eventbus.capture.trigger.postgres.rows import counting_body, guarding_body
from eventbus.capture.trigger.quoting import identifier, literal


def compiled(definition: Definition, search_path: str) -> list[Compiled]:
    """The functions and triggers of a definition.

    :param search_path: of the database session that creates them, where the tables are found.
    """
    made = [
        _statement_trigger(definition, "created", "AFTER INSERT", search_path),
        _statement_trigger(definition, "updated", "AFTER UPDATE", search_path),
        _statement_trigger(definition, "deleted", "AFTER DELETE", search_path),
        _truncate_trigger(definition, search_path),
    ]
    if definition.counter or definition.touched:
        made.append(
            _row_trigger(
                name_of(definition.event, "counted"),
                counting_body(definition),
                "BEFORE INSERT OR UPDATE",
                definition.table,
            )
        )
    for role, value, beyond in definition.others:
        text = guarding_body(definition, value, beyond)
        name = name_of(definition.event, role)
        made.append(_row_trigger(name, text, "BEFORE UPDATE OR DELETE", beyond.table))
    return [_refuse_function(definition), *made]


def drops(definition: Definition) -> list[str]:
    """The statements that remove them, with their triggers, also where the table is gone."""
    roles = ["created", "updated", "deleted", "truncated", "counted"]
    roles += [role for role, _, _ in definition.others]
    names = [identifier(name_of(definition.event, role)) for role in roles]
    refused = identifier(name_of(definition.event, "refused"))
    functions = [f"{refused}(text, text)", *(f"{name}()" for name in names)]
    return [f"DROP FUNCTION IF EXISTS {function} CASCADE" for function in functions]


def _refuse_function(definition: Definition) -> Compiled:
    name = name_of(definition.event, "refused")
    body = "\nBEGIN\n    RAISE EXCEPTION USING MESSAGE = message, ERRCODE = code;\nEND\n"
    create = (
        f"CREATE OR REPLACE FUNCTION {identifier(name)}(code text, message text) RETURNS text "
        f"LANGUAGE plpgsql AS {literal(body)}"
    )
    return Compiled(name, body, (create,), table="")


SETTINGS = ("jit = off", "enable_nestloop = off", "extra_float_digits = 1")
"""Of the functions. Compiling to machine code takes longer than most statements. The plan of the
join between old and new rows is kept, made perhaps for one row and used for 10,000. Numbers are
written exactly."""

FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET standard_conforming_strings = on SET search_path = {search_path} {settings} AS {body}
"""


def _created(
    name: str, definition: Definition, text: str, search_path: str, trigger: str
) -> Compiled:
    quoted, table = identifier(name), identifier(definition.table)
    function = FUNCTION.format(
        name=quoted,
        search_path=search_path,
        settings=" ".join(f"SET {setting}" for setting in SETTINGS),
        body=literal(text),
    )
    return Compiled(
        name,
        text,
        (
            function.strip(),
            f"DROP TRIGGER IF EXISTS {quoted} ON {table}",
            f"CREATE TRIGGER {quoted} {trigger.format(table=table)} EXECUTE FUNCTION {quoted}()",
        ),
        definition.table,
    )


TRANSITIONS = {
    "created": "REFERENCING NEW TABLE AS new_rows",
    "updated": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "deleted": "REFERENCING OLD TABLE AS old_rows",
}


def _statement_trigger(
    definition: Definition, verb: Verb, moment: str, search_path: str
) -> Compiled:
    rows = {
        "created": "new_rows n",
        "updated": "new_rows n FULL JOIN old_rows o ON n.{0} = o.{0}".format(
            identifier(definition.identity)
        ),
        "deleted": "old_rows o",
    }[verb]
    trigger = f"{moment} ON {{table}} {TRANSITIONS[verb]} FOR EACH STATEMENT"
    name = name_of(definition.event, verb)
    return _created(name, definition, body(definition, verb, rows), search_path, trigger)


def _truncate_trigger(definition: Definition, search_path: str) -> Compiled:
    name = name_of(definition.event, "truncated")
    text = body(definition, "deleted", f"{identifier(definition.table)} o")
    trigger = "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
    return _created(name, definition, text, search_path, trigger)


def _row_trigger(name: str, text: str, moment: str, table_name: str) -> Compiled:
    quoted, table = identifier(name), identifier(table_name)
    return Compiled(
        name,
        text,
        (
            f"CREATE OR REPLACE FUNCTION {quoted}() RETURNS trigger LANGUAGE plpgsql "
            f"AS {literal(text)}",
            f"DROP TRIGGER IF EXISTS {quoted} ON {table}",
            f"CREATE TRIGGER {quoted} {moment} ON {table} FOR EACH ROW EXECUTE FUNCTION {quoted}()",
        ),
        table_name,
    )
