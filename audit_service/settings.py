"""Settings of the audit service; what is shared is in common/servicekit/settings.py."""

from common.servicekit.settings import *  # noqa: F403
from common.servicekit.settings import (
    EVENTBUS_DEFAULTS,
    SHARED_APPS,
    SPECTACULAR_DEFAULTS,
    database,
    env,
)

INSTALLED_APPS = [*SHARED_APPS, "django_htmx", "eventbus.inbox", "audit_service.audit"]
ROOT_URLCONF = "audit_service.urls"
WSGI_APPLICATION = "audit_service.wsgi.application"
# Browsers keep cookies by host and not by port: a login here must not end one next door.
SESSION_COOKIE_NAME = "audit_sessionid"
CSRF_COOKIE_NAME = "audit_csrftoken"
DATABASES = {"default": database("audit")}
SPECTACULAR_SETTINGS = {**SPECTACULAR_DEFAULTS, "TITLE": "Audit service"}
# Ed25519 keys in base64, as the command `signing_key` makes them.
AUDIT_SIGNING_KEY = env("AUDIT_SIGNING_KEY", default="")
AUDIT_PUBLIC_KEYS = env.list("AUDIT_PUBLIC_KEYS", default=[])
EVENTBUS = {
    **EVENTBUS_DEFAULTS,
    "SERVICE_NAME": "audit_service",
    # Any topic of any service can be kept; no code is needed.
    "CONSUMER_TOPICS": env.list("CONSUMER_TOPICS", default=["product.events"]),
}
