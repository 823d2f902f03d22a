"""Exits with 0 while the service of this container can serve: its pages and its database answer."""

import os
import sys
import urllib.request

TIMEOUT_SECONDS = 4
url = f"http://127.0.0.1:{os.environ.get('WEB_PORT', '8000')}/readyz"
try:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS):
        pass
except OSError as error:
    sys.exit(f"{url}: {error}")
