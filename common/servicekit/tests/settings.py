"""A Django project with everything that the services share, for mypy and the kit's tests."""

from common.servicekit.settings import *  # noqa: F403
from common.servicekit.settings import EVENTBUS_DEFAULTS, SHARED_APPS, env

INSTALLED_APPS = [
    *SHARED_APPS,
    "eventbus.outbox",
    "eventbus.inbox",
    "common.servicekit.idempotency",
]
ROOT_URLCONF = "common.servicekit.tests.urls"
DATABASES = {"default": env.db("DATABASE_URL", default="sqlite://:memory:")}
SECRET_KEY = "for-tests-only"
EVENTBUS = {**EVENTBUS_DEFAULTS, "SERVICE_NAME": "kit_tests"}
