"""Settings of the audit service. common/servicekit/settings.py has the shared ones."""

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
# Browsers scope cookies to the host, not the port: a login here must not end one on another port.
SESSION_COOKIE_NAME = "audit_sessionid"
CSRF_COOKIE_NAME = "audit_csrftoken"
DATABASES = {"default": database("audit")}
SPECTACULAR_SETTINGS = {**SPECTACULAR_DEFAULTS, "TITLE": "Audit service"}
# Ed25519 keys in base64, as printed by the command `signing_key`.
AUDIT_SIGNING_KEY = env("AUDIT_SIGNING_KEY", default="")
AUDIT_PUBLIC_KEYS = env.list("AUDIT_PUBLIC_KEYS", default=[])
EVENTBUS = {
    **EVENTBUS_DEFAULTS,
    "SERVICE_NAME": "audit_service",
    # Events of any topic of any service can be recorded, without code for them.
    "CONSUMER_TOPICS": env.list("CONSUMER_TOPICS", default=["product.events"]),
}
