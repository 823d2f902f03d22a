"""PostgreSQL: the bodies of the functions that run for each row."""

from eventbus.capture.trigger.definition import Definition, OtherColumn, Value
from eventbus.capture.trigger.postgres.values import (
    CONTEXT,
    REFUSED,
    changed,
    kept_name,
    refusal,
    written,
)
from eventbus.capture.trigger.quoting import identifier

COUNTING = """
BEGIN
    IF TG_OP = 'INSERT' THEN
        {inserted}
    ELSIF starts_with(current_setting('{CONTEXT}', true), '{{"s') THEN
        IF starts_with(current_setting('{CONTEXT}', true), '{{"suppressed"') THEN
            {suppressed}
        END IF;
    ELSIF {changed} THEN
        {updated}
    ELSE
        {unchanged}
    END IF;
    RETURN NEW;
END
"""


def counting_body(definition: Definition) -> str:
    """Before a row is written: its counter and time, whatever the statement says of them."""
    inserted, suppressed, updated, unchanged = [], ["NULL;"], [], []
    if definition.counter:
        counter = identifier(definition.counter)
        inserted.append(
            f"NEW.{counter} := CASE WHEN starts_with(current_setting('{CONTEXT}', true), "
            f"'{{\"suppressed\"') THEN 0 ELSE 1 END;"
        )
        suppressed.append(f"NEW.{counter} := OLD.{counter};")
        updated.append(f"NEW.{counter} := OLD.{counter} + 1;")
        unchanged.append(f"NEW.{counter} := OLD.{counter};")
    if definition.touched:
        touched = identifier(definition.touched)
        inserted.append(f"NEW.{touched} := statement_timestamp();")
        updated.append(f"NEW.{touched} := statement_timestamp();")
        unchanged.append(f"NEW.{touched} := OLD.{touched};")
    return COUNTING.format(
        CONTEXT=CONTEXT,
        inserted="\n        ".join(inserted),
        suppressed="\n            ".join(suppressed),
        changed=changed(definition, "OLD", "NEW"),
        updated="\n        ".join(updated),
        unchanged="\n        ".join(unchanged),
    )


GUARDING = """
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM {table} t WHERE t.{column} = OLD.{key}) THEN
            PERFORM set_config({name}, {kept}, true);
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.{key} IS DISTINCT FROM NEW.{key} OR OLD.{other} IS DISTINCT FROM NEW.{other} THEN
        PERFORM {refused};
    END IF;
    RETURN NEW;
END
"""


def guarding_body(definition: Definition, value: Value, beyond: OtherColumn) -> str:
    """Before a row changes that events of another table have a value of.

    It was declared never to change. When the row is deleted, the value is kept for the events of
    rows that are deleted after it in the same transaction.
    """
    here = Value(value.name, beyond.column, value.kind)

    def refuse(text: str, held: str = "") -> str:
        return refusal(definition, REFUSED, text, held)

    return GUARDING.format(
        table=identifier(definition.table),
        column=identifier(value.column),
        key=identifier(beyond.key),
        other=identifier(beyond.column),
        name=kept_name(beyond, f"OLD.{identifier(beyond.key)}"),
        kept=f"coalesce({written(here, 'OLD', refuse)}, 'null')",
        refused=refuse(f"{beyond.table}.{beyond.column} is declared never to change, and did"),
    )
