from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CaptureConfig(AppConfig):
    name = "eventbus.capture"
    label = "eventbus_capture"
    verbose_name = "Event bus: capture"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # These need the models.
        from eventbus.capture.trigger import checks  # noqa: F401  registers them
        from eventbus.capture.trigger.origin import watch_connections
        from eventbus.capture.trigger.restoring import restore_after_migrate

        autodiscover_modules("events")
        watch_connections()
        restore_after_migrate()
