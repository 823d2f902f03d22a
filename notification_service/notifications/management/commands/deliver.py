from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from eventbus.running.command_line import positive
from eventbus.running.lifecycle import (
    REFUSED,
    missing_migrations,
    stop_on_signals,
    wait_until_ready,
)
from notification_service.notifications.delivering.deliverer import Deliverer


class Command(BaseCommand):
    help = "Send due notifications until stopped. Several processes may run at once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "-c",
            "--concurrency",
            type=positive,
            default=8,
            help="number of receivers to send to in parallel (default: 8)",
        )
        parser.add_argument("--drain", action="store_true", help="exit when nothing is due")

    def handle(self, *, concurrency: int, drain: bool, **options: Any) -> None:
        if not self._has_secret_key():
            raise CommandError(
                "Set SECRET_KEY to the value of the web processes: it signs links in mails.",
                returncode=REFUSED,
            )
        stop = stop_on_signals()
        if wait_until_ready(lambda: missing_migrations(["notifications"]), stop):
            Deliverer(stop, concurrency, drain).run()

    def _has_secret_key(self) -> bool:
        try:
            return bool(settings.SECRET_KEY)
        except ImproperlyConfigured:
            return False
