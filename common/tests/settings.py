"""A Django project with both sides of the bus, for the tests of common."""

from common.settings import *  # noqa: F403
from common.settings import SHARED_APPS, env

SERVICE_NAME = "bus_tests"
INSTALLED_APPS = [
    *SHARED_APPS,
    "common.outbox",
    "common.inbox",
    "common.idempotency",
    "common.tests.app",
]
SECRET_KEY = "for-tests-only"
ROOT_URLCONF = "common.tests.urls"
DATABASES = {"default": env.db("DATABASE_URL", default="sqlite://:memory:")}
CONSUMER_GROUP = "bus_tests"
