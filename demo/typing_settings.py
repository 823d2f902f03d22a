"""A project with the apps of all three services and of the library's tests, only for mypy: it is never served."""

from audit_service import settings as audit
from audit_service.settings import *  # noqa: F403
from notification_service import settings as notification
from notification_service.settings import *  # noqa: F403
from product_service import settings as product
from product_service.settings import *  # noqa: F403

INSTALLED_APPS = list(
    dict.fromkeys(
        [
            *product.INSTALLED_APPS,
            *notification.INSTALLED_APPS,
            *audit.INSTALLED_APPS,
            "common.tests.app",
            "common.tests.capture.saved",
            "common.tests.capture.triggered",
        ]
    )
)
INSTALLED_APPS.remove("eventbus.capture")  # mypy looks for Django's own managers
ROOT_URLCONF = "common.servicekit.tests.urls"
SECRET_KEY = "for-type-checks-only"
