from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "eventbus.outbox"
    label = "eventbus_outbox"
    verbose_name = "Event bus: outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from eventbus import checks  # noqa: F401  registers them
        from eventbus.outbox import checks as own_checks  # noqa: F401
