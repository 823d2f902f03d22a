"""gunicorn for the pages of every service; it reads the environment like the services do."""

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
# A container's /tmp may be a disk; a heartbeat that waits for one gets its worker killed.
worker_tmp_dir = "/dev/shm"  # noqa: S108  files without a name, seen by nobody else
# Nobody uses it, and the user of the image has no home to put it in.
control_socket_disable = True
graceful_timeout = 20
accesslog = "-"
