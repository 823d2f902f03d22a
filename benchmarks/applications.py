"""WSGI applications for the benchmark ``request``: alternatives to publishing by the outbox."""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import msgspec
import psycopg

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def silent() -> Application:
    """The product service without events."""
    return _product_service(lambda event, *, using: None)


def synchronous() -> Application:
    """The product service that calls each subscriber over HTTP during the request."""
    urls = os.environ["SUBSCRIBERS"].split(",")
    local = threading.local()

    def tell(event: msgspec.Struct, *, using: str) -> None:
        if not hasattr(local, "client"):
            local.client = httpx.Client()
        body = msgspec.json.encode(event)
        for url in urls:
            local.client.post(url, content=body).raise_for_status()

    return _product_service(tell)


def subscriber() -> Application:
    """Stores what it receives in a table, and responds after the commit."""
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS received (id bigserial PRIMARY KEY, body text)")

    def application(environ: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        connection.execute("INSERT INTO received (body) VALUES (%s)", [body.decode()])
        answer("204 No Content", [])
        return []

    return application


def _product_service(publish: Callable[..., None]) -> Application:
    from eventbus import outbox
    from product_service.wsgi import application  # sets up Django, so not at the top

    outbox.publish = publish  # type: ignore[assignment]  # the id is not used here
    return application
