"""The audit service with injected faults."""

from audit_service.settings import *  # noqa: F403
from audit_service.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.trouble"]
