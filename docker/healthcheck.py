"""Exit with 0 if the service of this container can serve: web server and database respond."""

import os
import sys
from http.client import HTTPConnection

TIMEOUT_SECONDS = 4
port = int(os.environ.get("WEB_PORT", "8000"))
# Django only serves ALLOWED_HOSTS, which need not include 127.0.0.1.
host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].lstrip("*.") or "localhost"
connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
try:
    connection.request("GET", "/readyz", headers={"Host": host})
    answer = connection.getresponse()
except OSError as error:
    sys.exit(f"No answer on port {port}: {error}")
if answer.status != 200:
    sys.exit(f"/readyz answers {answer.status} {answer.reason}")
