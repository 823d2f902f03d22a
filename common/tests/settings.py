"""A Django project with both sides of the bus and the admin, for the tests of the library.

It does not import the services: these tests also run in environments with only the library.
"""

import environ

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "eventbus.outbox",
    "eventbus.capture",
    "eventbus.inbox",
    "common.tests.app",
    "common.tests.capture.saved",
    "common.tests.capture.triggered",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
URL = environ.Env().db("DATABASE_URL", default="sqlite://:memory:")
SECOND = None if URL["ENGINE"].endswith("sqlite3") else f"test_{URL['NAME']}_bus"
DATABASES = {
    "default": URL,
    # Only for test_two_databases.py. It can be created without the first one.
    "bus": {**URL, "TEST": {"NAME": SECOND, "DEPENDENCIES": []}},
}
DATABASE_ROUTERS = ["common.tests.routers.BusRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "common.tests.urls"
SECRET_KEY = "for-tests-only"
STATIC_URL = "static/"
USE_TZ = True
EVENTBUS = {
    "SERVICE_NAME": "bus_tests",
    "PUBLISHES": ["common.contracts.product", "common.tests.capture.triggered.contracts"],
}
