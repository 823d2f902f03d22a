"""WSGI application, for ``gunicorn notification_service.wsgi``."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notification_service.settings")

application = get_wsgi_application()
settings.SECRET_KEY  # noqa: B018  fail at start-up, not at the first request
