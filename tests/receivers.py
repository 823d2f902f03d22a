"""What the notification service talks to: a mail server, and an application with webhooks."""

import email
import email.policy
import threading
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from demo.receiver import Receiver


class Mailboxes:
    """A mail server that stores received mails."""

    def __init__(self, port: int) -> None:
        self.url = f"smtp://127.0.0.1:{port}"
        self.mails: list[EmailMessage] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(parsed)
        return "250 Message accepted"

    def about(self, text: str) -> list[EmailMessage]:
        """The mails whose subject contains a text."""
        return [mail for mail in self.mails if text in mail["Subject"]]

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()


class Application(Receiver):
    """The demo's receiver, which can be made to fail.

    :param fails: how many of the next requests it answers with 503.
    :param waits: once set, requests that wait for it are answered.
    """

    def __init__(self, port: int, secret: str, fails: int = 0) -> None:
        super().__init__(port, secret, Path())
        self.fails = fails
        self.waits = threading.Event()
        self.waits.set()
        self.requests = 0

    def take(self, headers: dict[str, str], body: bytes) -> HTTPStatus:
        with self.lock:
            self.requests += 1
            self.fails -= 1
            is_failing = self.fails >= 0
        self.waits.wait(30)
        return HTTPStatus.SERVICE_UNAVAILABLE if is_failing else super().take(headers, body)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.waits.set()
        self.shutdown()
        self.server_close()
