"""What the demo runs: ports, environments and command lines."""

import base64
import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from demo import broker, leftovers
from demo.errors import StartError
from demo.processes import ROOT

SERVICES = ("product", "notification", "audit")
CONSUMERS = ("notification", "audit")
DEFAULT_PORTS = {
    "product": 8001,
    "notification": 8002,
    "audit": 8003,
    "receiver": 8004,
    "kafka": 19092,
}
DIRECTORY = Path(os.environ.get("DEMO_DIR", ROOT / "var" / "demo")).resolve()
MAILS = DIRECTORY / "mails"
OWN_KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")


def free_ports() -> dict[str, int]:
    """The port of each service, of the receiver, and of Kafka if the demo runs it.

    :raises StartError: if one is invalid, used twice, or in use.
    """
    ports = {
        name: _port(f"{name.upper()}_PORT", default)
        for name, default in DEFAULT_PORTS.items()
        if name != "kafka" or not OWN_KAFKA
    }
    if len(set(ports.values())) < len(ports):
        raise StartError("the same port is set twice")
    for name, port in ports.items():
        if _is_in_use(port):
            raise StartError(_in_use(port, f"{name.upper()}_PORT"))
    return ports


def environment(service: str, ports: dict[str, int]) -> dict[str, str]:
    """The environment of every process of one service."""
    MAILS.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"{service}_service.settings",
        "DATABASE_URL": f"sqlite:///{DIRECTORY / service}.sqlite3",
        "KAFKA_BOOTSTRAP_SERVERS": OWN_KAFKA or f"127.0.0.1:{ports['kafka']}",
        "SECRET_KEY": _secret("secret_key", lambda: secrets.token_urlsafe(50)),
        "EVENT_SCHEMA_URL": f"http://localhost:{ports['product']}/api/events/schema/",
        "PUBLIC_URL": f"http://localhost:{ports['notification']}",
        "EMAIL_URL": f"filemail:///{MAILS}",
        "WEBHOOK_ALLOW_PRIVATE": "on",
        "RECEIVER_PORT": str(ports["receiver"]),
        "DEMO_MAILS": str(MAILS),
        "DEMO_HEALTH_TOKEN": _secret("health_token", lambda: secrets.token_hex(20)),
        "DEMO_WEBHOOK_SECRET": _secret("webhook_secret", _webhook_secret),
        "LOG_JSON": "off",
        "PYTHONUNBUFFERED": "1",
    }


def commands(ports: dict[str, int]) -> dict[str, tuple[list[str], str | None]]:
    """The command line and the service of each process, by the name of the process."""
    manage = [sys.executable, "manage.py"]
    lines: dict[str, tuple[list[str], str | None]] = {}
    if not OWN_KAFKA:
        lines["kafka"] = (broker.command(ports["kafka"]), None)
    for service in SERVICES:
        gunicorn = [sys.executable, "-m", "gunicorn", f"{service}_service.wsgi"]
        bind = f"--bind=127.0.0.1:{ports[service]}"
        options = ["--threads=4", "--graceful-timeout=3", "--log-level=warning"]
        options.append("--no-control-socket")  # it is shared, in the home directory
        lines[f"{service}-web"] = ([*gunicorn, bind, *options], service)
    lines["relay"] = ([*manage, "product", "relay_events"], "product")
    for service in CONSUMERS:
        lines[f"{service}-worker"] = ([*manage, service, "consume_events"], service)
    lines["deliver"] = ([*manage, "notification", "deliver"], "notification")
    lines["receiver"] = ([sys.executable, "-m", "demo.receiver"], "notification")
    return lines


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise StartError(f"{variable} must be a port number, not {text!r}")
    return int(text)


def _is_in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _in_use(port: int, variable: str) -> str:
    """Why a port is unavailable, and what to do about it."""
    fact, remedy = f"port {port} is in use", f"set {variable} to a free one"
    holder = leftovers.holder(port)
    if holder is None:
        return f"{fact}; {remedy}"
    by = f"{fact} by process {holder.pid} ({holder.command})"
    if holder.supervisor is None:
        return f"{by}; {remedy}"
    if leftovers.is_running(holder.supervisor):
        end = f"kill {holder.supervisor}"
        return f"{fact} by another demo, which `{end}` stops; or {remedy}"
    end = " ".join(["kill", *map(str, leftovers.left_by(holder.supervisor))])
    return f"{by}, left over from an earlier demo, all of which `{end}` ends; or {remedy}"


def _secret(name: str, make: Callable[[], str]) -> str:
    """A secret that is kept between runs, so that logins survive a restart."""
    path = DIRECTORY / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(make())
    return path.read_text()


def _webhook_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
