"""Settings of the product service. common/servicekit/settings.py has the shared ones."""

from common.servicekit.settings import *  # noqa: F403
from common.servicekit.settings import (
    EVENTBUS_DEFAULTS,
    SHARED_APPS,
    SPECTACULAR_DEFAULTS,
    database,
)

INSTALLED_APPS = [
    *SHARED_APPS,
    "import_export",
    "eventbus.outbox",
    "eventbus.capture",
    "common.servicekit.idempotency",
    "product_service.products",
]
ROOT_URLCONF = "product_service.urls"
WSGI_APPLICATION = "product_service.wsgi.application"
# Browsers scope cookies to the host, not the port: a login here must not end one on another port.
SESSION_COOKIE_NAME = "product_sessionid"
CSRF_COOKIE_NAME = "product_csrftoken"
DATABASES = {"default": database("product")}
SPECTACULAR_SETTINGS = {**SPECTACULAR_DEFAULTS, "TITLE": "Product service"}

IMPORT_EXPORT_USE_TRANSACTIONS = True
EVENTBUS = {
    **EVENTBUS_DEFAULTS,
    "SERVICE_NAME": "product_service",
    "PUBLISHES": ["common.contracts.product"],
}
