"""Operations of migrations: tables that publish their changes, and no longer do."""

from collections.abc import Sequence
from typing import Any, Self

from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState

from eventbus.capture.trigger import installing
from eventbus.capture.trigger.definition import Definition, Value
from eventbus.database.alias import bus_alias


class TriggerOperation(Operation):
    """An operation on the triggers of one event.

    ``makemigrations`` writes it. The values are those of the declaration at that time: they are
    what people review, and a later change of the declaration is a later operation.

    :param event: and the others: as of :class:`~eventbus.capture.trigger.definition.Definition`.
    """

    reversible = True
    reduces_to_sql = True
    serialization_expand_args = ["values"]

    def __init__(  # noqa: PLR0917  Django's writer passes names
        self,
        event: str,
        model: str,
        table: str,
        identity: str,
        topic: str,
        key: str,
        values: Sequence[Value],
        counter: str = "",
        touched: str = "",
        versions: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.definition = Definition(
            event=event,
            model=model,
            table=table,
            identity=identity,
            topic=topic,
            key=key,
            values=tuple(values),
            counter=counter,
            touched=touched,
            versions=tuple((verb, version) for verb, version in versions),
        )

    @classmethod
    def of(cls, definition: Definition) -> Self:
        """The operation with these values."""
        return cls(**definition.arguments())

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """For Django's migration writer."""
        return (type(self).__qualname__, [], self.definition.arguments())

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models stay as they are."""

    def _install(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Where the table was removed after its triggers, and this is the reverse, do nothing."""
        connection = schema_editor.connection
        if self._is_meant(schema_editor) and (
            getattr(schema_editor, "collect_sql", False)
            or self.definition.table in connection.introspection.table_names()
        ):
            self._run(schema_editor, installing.installation(self.definition, connection))

    def _remove(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        if self._is_meant(schema_editor):
            removal = installing.removal(self.definition, schema_editor.connection)
            self._run(schema_editor, removal)

    def _run(self, schema_editor: BaseDatabaseSchemaEditor, statements: Sequence[str]) -> None:
        for statement in statements:
            schema_editor.execute(statement, params=None)

    def _is_meant(self, schema_editor: BaseDatabaseSchemaEditor) -> bool:
        """Whether this database has the outbox and the table, and triggers that stay.

        On SQLite all of them are created after the last migration (restoring.py).
        """
        connection = schema_editor.connection
        if connection.vendor == "sqlite" or connection.alias != bus_alias():
            return False
        app_label, _, model = self.definition.model.partition(".")
        return router.allow_migrate(connection.alias, app_label, model_name=model.lower())


class PublishByTrigger(TriggerOperation):
    """Let the database publish each change of a table."""

    category = OperationCategory.ADDITION

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create the triggers, in place of older ones of the same event."""
        self._install(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Remove them."""
        self._remove(schema_editor)

    def describe(self) -> str:
        return f"Publish {self.definition.model} as {self.definition.event} by triggers"

    @property
    def migration_name_fragment(self) -> str:
        """For the name of the migration."""
        return f"publish_{self.definition.event}"


class StopPublishingByTrigger(TriggerOperation):
    """Let a table change without events again: the reverse of :class:`PublishByTrigger`.

    It has the values that were published last, to be reversible.
    """

    category = OperationCategory.REMOVAL

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Remove the triggers."""
        self._remove(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create them as they were."""
        self._install(schema_editor)

    def describe(self) -> str:
        return f"Stop publishing {self.definition.model} as {self.definition.event} by triggers"

    @property
    def migration_name_fragment(self) -> str:
        """For the name of the migration."""
        return f"stop_publishing_{self.definition.event}"
