"""gunicorn configuration of every service, from environment variables."""

import sys

from django.core.exceptions import ImproperlyConfigured

from common.servicekit.environment import Environment

env = Environment()
try:
    bind = f":{env.positive('WEB_PORT', default=8000)}"
    workers = env.positive("WEB_CONCURRENCY", default=2)
    threads = env.positive("WEB_THREADS", default=4)
except ImproperlyConfigured as error:
    sys.exit(f"{error}. docs/reference/environment.md describes the settings.")
# A container's /tmp may be on disk; a worker whose heartbeat waits for it would be killed.
worker_tmp_dir = "/dev/shm"  # noqa: S108  unlinked files, invisible to others
# Unused, and the image's user has no home directory for it.
control_socket_disable = True
graceful_timeout = 20
accesslog = "-"
