"""Settings of the notification service. common/servicekit/settings.py has the shared ones."""

from common.servicekit.settings import *  # noqa: F403
from common.servicekit.settings import (
    EVENTBUS_DEFAULTS,
    SHARED_APPS,
    SPECTACULAR_DEFAULTS,
    database,
    env,
)

INSTALLED_APPS = [
    *SHARED_APPS,
    "django_htmx",
    "eventbus.inbox",
    "notification_service.notifications",
]
ROOT_URLCONF = "notification_service.urls"
WSGI_APPLICATION = "notification_service.wsgi.application"
# Browsers scope cookies to the host, not the port: a login here must not end one on another port.
SESSION_COOKIE_NAME = "notification_sessionid"
CSRF_COOKIE_NAME = "notification_csrftoken"
DATABASES = {"default": database("notification")}
SPECTACULAR_SETTINGS = {**SPECTACULAR_DEFAULTS, "TITLE": "Notification service"}
# The languages in which messages are available.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# The base URL of links in mails.
PUBLIC_URL = env("PUBLIC_URL", default="http://localhost:8002")
vars().update(env.mail("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="notifications@localhost")
DELIVERY_ATTEMPTS = env.positive("DELIVERY_ATTEMPTS", default=16)
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
NOTIFICATION_RETENTION_DAYS = env.not_negative("NOTIFICATION_RETENTION_DAYS", default=90)
EVENTBUS = {**EVENTBUS_DEFAULTS, "SERVICE_NAME": "notification_service"}
