"""A site as Wagtail's documentation adds it to a Django project, the event bus, and one app."""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = "for-tests-only"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = [
    "eventbus.capture",
    "stories",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "eventbus.outbox",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    "eventbus.middleware.EventContextMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": environ.Env().db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'site.sqlite3'}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "wagtail_site.urls"
STATIC_URL = "static/"
USE_TZ = True
WAGTAIL_SITE_NAME = "Stories"
WAGTAILADMIN_BASE_URL = "http://localhost"
EVENTBUS = {
    "SERVICE_NAME": "wagtail_site",
    "PUBLISHES": ["stories.contracts"],
    "KAFKA": {"bootstrap_servers": [os.environ["KAFKA_BOOTSTRAP_SERVERS"]]},
}
