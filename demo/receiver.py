"""Another application, which receives webhooks and shows them next to the mails on one page."""

import email
import email.policy
import os
import threading
from collections.abc import Iterator
from datetime import datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SHOWN = 10
MOST_BYTES = 1_000_000
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Receiver</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ max-width: 60rem; margin: 0 auto; padding: 1rem; }}
li {{ margin-bottom: .75rem; overflow-wrap: anywhere; }}
pre {{ white-space: pre-wrap; margin: .25rem 0; font-size: .875rem; }}
</style>
<h1>Another application</h1>
<h2>Webhooks</h2>
<p>Signed and new: {count}. Duplicates, discarded by their webhook-id: {repeats}.
Not signed: {forged}.</p>
<ul>{webhooks}</ul>
<h2>Mails</h2>
<p>Mails are files in {directory}.</p>
<ul>{mails}</ul>
</html>"""


class Receiver(ThreadingHTTPServer):
    """Stores received messages, each one once.

    :param secret: the endpoint's secret.
    :param mails: the directory to which the demo writes mails.
    """

    daemon_threads = True

    def __init__(self, port: int, secret: str, mails: Path) -> None:
        super().__init__(("127.0.0.1", port), ReceiverHandler)
        self.webhook = Webhook(secret)
        self.mails = mails
        self.lock = threading.Lock()
        self.received: dict[str, str] = {}
        self.repeats = self.forged = 0

    def take(self, headers: dict[str, str], body: bytes) -> HTTPStatus:
        """Verify the signature, and store the message if it is new."""
        try:
            self.webhook.verify(body, headers, json_parse=False)
        except (WebhookVerificationError, ValueError):
            with self.lock:
                self.forged += 1
            return HTTPStatus.UNAUTHORIZED
        with self.lock:
            if headers["webhook-id"] in self.received:
                self.repeats += 1
            else:
                time = f"{datetime.now():%H:%M:%S}"  # noqa: DTZ005 - for people at this machine
                self.received[headers["webhook-id"]] = f"{time} {body.decode()}"
        return HTTPStatus.NO_CONTENT

    def page(self) -> str:
        with self.lock:
            newest = list(self.received.values())[: -SHOWN - 1 : -1]
            counts = {"repeats": self.repeats, "forged": self.forged, "count": len(self.received)}
        webhooks = [f"<li><pre>{escape(text)}</pre></li>" for text in newest]
        mails = [f"<li>{escape(text)}</li>" for text in self._subjects()]
        none = "<li>None yet. Change the price of a product.</li>"
        return PAGE.format(
            webhooks="".join(webhooks) or none,
            mails="".join(mails) or none,
            directory=escape(str(self.mails)),
            **counts,
        )

    def _subjects(self) -> Iterator[str]:
        files = sorted(self.mails.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for path in files[: -SHOWN - 1 : -1]:
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            yield f"{mail['To']}: {mail['Subject']} ({path.name})"


class ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        content = self.server.page().encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.server.take(headers, body))
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Log nothing: the page shows the requests."""


def main() -> None:
    port, mails = int(os.environ["RECEIVER_PORT"]), Path(os.environ["DEMO_MAILS"])
    Receiver(port, os.environ["DEMO_WEBHOOK_SECRET"], mails).serve_forever()


if __name__ == "__main__":
    main()
