from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class InboxConfig(AppConfig):
    name = "eventbus.inbox"
    label = "eventbus_inbox"
    verbose_name = "Event bus: inbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from eventbus import checks  # noqa: F401  registers them
        from eventbus.inbox import checks as own_checks  # noqa: F401

        autodiscover_modules("handlers")
