import sys

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from eventbus.events.context import runs_a_command


class CaptureConfig(AppConfig):
    name = "eventbus.capture"
    label = "eventbus_capture"
    verbose_name = "Event bus: capture"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # They need the models.
        from eventbus.capture import checks  # noqa: F401
        from eventbus.capture.orm import checks as orm_checks  # noqa: F401
        from eventbus.capture.orm.attaching import attach_all
        from eventbus.capture.snapshotting.backfill import Backfill
        from eventbus.capture.trigger import checks as trigger_checks  # noqa: F401
        from eventbus.capture.trigger.origin import watch_connections
        from eventbus.capture.trigger.restoring import watch_migrations
        from eventbus.outbox.relaying.chores import add_chore

        _discover()
        attach_all()
        watch_connections()
        watch_migrations()
        add_chore(Backfill(), self.label)


def _discover() -> None:
    """Import each app's ``events.py``; a wrong declaration ends a command with its one line."""
    try:
        autodiscover_modules("events")
    except ImproperlyConfigured as error:
        if runs_a_command(sys.argv):
            raise SystemExit(f"Error: {error}") from None
        raise
