"""WSGI applications for the benchmark ``request``: the product service in other ways of telling."""

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
    """The product service calling each subscriber over HTTP while the request waits."""
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
    """Keeps what it is told in a table, and answers when that is committed."""
    connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    connection.execute("CREATE TABLE IF NOT EXISTS told (id bigserial PRIMARY KEY, body text)")

    def application(environ: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        connection.execute("INSERT INTO told (body) VALUES (%s)", [body.decode()])
        answer("204 No Content", [])
        return []

    return application


def _product_service(publish: Callable[..., None]) -> Application:
    from eventbus import outbox
    from product_service.wsgi import application  # sets Django up, so no earlier

    outbox.publish = publish  # type: ignore[assignment]  # nobody asks for the id here
    return application
