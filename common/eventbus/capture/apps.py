from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


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
        from eventbus.capture.trigger import checks as trigger_checks  # noqa: F401
        from eventbus.capture.trigger.origin import watch_connections
        from eventbus.capture.trigger.restoring import watch_migrations

        autodiscover_modules("events")
        attach_all()
        watch_connections()
        watch_migrations()
