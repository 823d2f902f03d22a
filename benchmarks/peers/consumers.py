"""The settings of the audit service with django-kafka installed."""

from audit_service.settings import *  # noqa: F403
from audit_service.settings import INSTALLED_APPS as OURS

INSTALLED_APPS = [*OURS, "django_kafka"]
