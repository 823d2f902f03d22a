"""The settings of the product service with other outboxes besides its own."""

from product_service.settings import *  # noqa: F403
from product_service.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "django_outbox_pattern", "jaiminho"]
DJANGO_OUTBOX_PATTERN = {
    "DEFAULT_CONNECTION_CLASS": "benchmarks.peers.sending.Connection",
    "DEFAULT_PRODUCER_WAITING_TIME": 0,
}
JAIMINHO_CONFIG = {
    "PUBLISH_STRATEGY": "keep-order",
    "DEFAULT_CAPTURE_EXCEPTION": None,
}
