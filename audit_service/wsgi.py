"""WSGI entry, for gunicorn audit_service.wsgi."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "audit_service.settings")

application = get_wsgi_application()
settings.SECRET_KEY  # noqa: B018  refuse to start without one, rather than fail at a request
