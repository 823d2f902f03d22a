"""Settings of the notification service; what is shared is in common/settings.py."""

from common.settings import *  # noqa: F403
from common.settings import SHARED_APPS, SPECTACULAR_DEFAULTS, database

SERVICE_NAME = "notification_service"
INSTALLED_APPS = [*SHARED_APPS, "common.inbox", "notification_service.notifications"]
ROOT_URLCONF = "notification_service.urls"
WSGI_APPLICATION = "notification_service.wsgi.application"
# Browsers keep cookies by host and not by port: a login here must not end one next door.
SESSION_COOKIE_NAME = "notification_sessionid"
CSRF_COOKIE_NAME = "notification_csrftoken"
DATABASES = {"default": database("notification")}
SPECTACULAR_SETTINGS = {**SPECTACULAR_DEFAULTS, "TITLE": "Notification service"}
CONSUMER_GROUP = "notification_service"
