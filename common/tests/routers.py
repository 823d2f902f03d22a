"""Which tables are in which database."""

from typing import Any

BUS = "bus"
EVENTBUS = {"eventbus_outbox", "eventbus_capture", "eventbus_inbox"}
OWN = "app"


class BusRouter:
    """The database ``bus`` has the tables that commit with events, and none of Django's own."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return app_label in {*EVENTBUS, OWN} if db == BUS else None


class OwnRouter(BusRouter):
    """Routes the project's own models to ``bus``, and leaves the library's undecided."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return BUS if model._meta.app_label == OWN else None

    db_for_write = db_for_read


class OppositeRouter(OwnRouter):
    """As in a project with a primary and a replica: everything else is routed elsewhere."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return super().db_for_read(model) or "default"

    db_for_write = db_for_read


class ElsewhereRouter:
    """Lets no table of the library into the default database, and each into ``bus``."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == BUS) == (app_label in EVENTBUS)


class NowhereRouter:
    """Knows the tables of the project alone."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return app_label not in EVENTBUS
