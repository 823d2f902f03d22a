"""The how-to guides of the services: their files and commands, on running services."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trustme
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from demo.broker import EmbeddedBroker
from eventbus.running import lifeline
from tests.following import Reader, blocks
from tests.rig.postgres import Postgres
from tests.stack import (
    ROOT,
    SERVICES,
    Databases,
    Stack,
    eventually,
    free_port,
    run,
    running,
    stopping,
)
from tests.test_guides import GUIDES, pages

ON_SERVERS_OF_YOUR_OWN = "run-on-postgresql-and-kafka"
IN_CONTAINERS = "run-in-containers"
REQUEST = "019370a0-7c1e-7000-8000-1f2e3d4c5b6a"
MANAGE = ROOT / "manage.py"
CURL = "$ curl --silent --show-error --fail-with-body --retry 9 --retry-connrefused "
PORTS = dict(zip(SERVICES, (8001, 8002, 8003), strict=True))
MONITORING = """
from django.contrib.auth.models import Permission, User
user = User.objects.create(username="monitoring")
user.user_permissions.add(Permission.objects.get(codename="view_workerstate"))
"""


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Of a shell in the virtual environment, with no variables of ours but these."""
    return {**variables, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


def on(stack: Stack, values: dict[str, str]) -> Callable[[str], str]:
    """How a reader edits what the guides say, to use it on a stack.

    :param values: what stands for the examples of the guides, by what they say.
    """

    def edit(text: str) -> str:
        for service, port in PORTS.items():
            text = text.replace(f"http://localhost:{port}", stack.urls[service])
            command = f"env DATABASE_URL={stack.database_urls[service]} python {MANAGE} {service}"
            text = text.replace(f"python manage.py {service}", command)
        for said, value in values.items():
            text = re.sub(rf"(?<![\w-]){re.escape(said)}(?![\w-])", value, text)
        return text.replace("$ curl ", CURL)

    return edit


def variables(printed: str) -> str:
    """The variables that a command printed, as words of a shell."""
    return " ".join(shlex.quote(line) for line in printed.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def own_stack(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything runs, and nobody tampers with the record, which the guides verify."""
    with running(EmbeddedBroker(free_port())) as broker:
        directory = tmp_path_factory.mktemp("own_stack")
        stack = Stack(directory, databases, broker.server, WEBHOOK_ALLOW_PRIVATE="on")
        for started in stopping(stack):
            started.start_everything()
            yield started


@pytest.fixture(scope="module")
def services(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The running services, with two products of which one was changed, and a category."""
    stack = own_stack
    product = stack.client("product")
    product.post("/api/categories/", json={"name": "Kitchen", "slug": "kitchen"}).raise_for_status()
    changed, other = stack.create_product("GUIDE-1"), stack.create_product("GUIDE-2")
    product.headers["X-Request-ID"] = REQUEST
    for stock in (5, 6, 7):
        stack.change(changed, stock=stock)
    del product.headers["X-Request-ID"]
    eventually(lambda: stack.recorded(changed) == [1, 2, 3, 4] and stack.recorded(other) == [1])
    keys = variables(stack.manage("audit", "signing_key"))
    values = {
        "17": str(changed["id"]),
        "21": str(other["id"]),
        "2026-11-01T12:00:00Z": f"{datetime.now(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}",
        "AUDIT_SIGNING_KEY=... AUDIT_PUBLIC_KEYS=...": keys,
    }
    directory = tmp_path_factory.mktemp("guides")
    return Reader(directory, environment(stack.environment("audit")), on(stack, values))


def test_the_guides_of_the_services_can_be_followed(services: Reader) -> None:
    for page in pages("The example services"):
        if page.stem not in {ON_SERVERS_OF_YOUR_OWN, IN_CONTAINERS}:
            services.follow(page)
    written = {path.name for path in services.directory.iterdir()}
    assert {"products.xlsx", "october.ndjson", "2026-11-01.json", "2026-11-24.json"} <= written
    check_receiver(run_path(str(services.directory / "receiver.py"))["receive"])


def check_receiver(receive: Callable[[str, bytes, dict[str, str]], Any]) -> None:
    """It takes what is signed, once, and refuses what is not."""
    secret, body, now = "whsec_" + "c2VjcmV0" * 4, '{"type": "product.updated"}', datetime.now(UTC)
    headers = {
        "webhook-id": "message",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("message", now, body),
    }
    assert receive(secret, body.encode(), headers) == {"type": "product.updated"}
    assert receive(secret, body.encode(), headers) is None
    with pytest.raises(WebhookVerificationError):
        receive(secret, b'{"type": "product.deleted"}', headers)


@pytest.mark.parametrize("command", [b.text for b in blocks(GUIDES / f"{IN_CONTAINERS}.md")])
def test_a_command_for_containers_names_what_there_is(command: str) -> None:
    """It cannot be run here: `docker` is not there."""
    assert lifeline.run(["bash", "-n", "-c", command], check=False).returncode == 0
    compose = (ROOT / "docker" / "compose.yaml").read_text()
    docker, named, *words = shlex.split(command)
    assert (docker, named) == ("docker", "compose")
    assert words[:2] == ["-f", "docker/compose.yaml"]
    if words[2] == "up":
        return
    run, remove, service, *manage = words[2:]
    assert (run, remove) == ("run", "--rm")
    assert re.search(rf"^  {service}:$", compose, re.M), f"no service {service}"
    asked = lifeline.run(
        [sys.executable, *manage[1:], "--help"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL
    )
    assert asked.returncode == 0


@pytest.mark.real
def test_the_guide_to_servers_of_your_own_can_be_followed(kafka: str, tmp_path: Path) -> None:
    web = f"127.0.0.1:{free_port()}"
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with TemporaryDirectory(prefix="postgres-") as home, running(Postgres(Path(home))) as server:
        database = f"127.0.0.1:{server.port}"
        url = f"postgres://audit:password@{database}/audit"
        instead = {
            "db.example.com:5432": database,
            "kafka-1.example.com:9092,kafka-2.example.com:9092": kafka,
            "/etc/kafka/ca.pem": str(tmp_path / "ca.pem"),
            "0.0.0.0:8003": f"{web} --no-control-socket",
            "localhost:8003": web,
            "python manage.py": f"python {MANAGE}",
            "$ curl ": CURL,
        }

        def edit(text: str) -> str:
            for said, value in instead.items():
                text = text.replace(said, value)
            return text.replace("Token ...", f"Token {token(url)}") if "Token ..." in text else text

        def execute(text: str) -> None:
            for statement in text.split(";\n")[:-1]:
                server.execute(statement)

        shell = environment({"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)})
        reader = Reader(tmp_path, shell, edit, {"sql": execute})
        try:
            reader.follow(GUIDES / f"{ON_SERVERS_OF_YOUR_OWN}.md")
        finally:
            reader.stop()


def token(url: str) -> str:
    """The token of a new user of the audit service, who may view workers.

    :param url: the service's ``DATABASE_URL``.
    """
    variables = {**os.environ, "DATABASE_URL": url}
    run("audit", ["shell", "-c", MONITORING], variables)
    [key] = re.findall(r"[0-9a-f]{40}", run("audit", ["drf_create_token", "monitoring"], variables))
    return str(key)
