"""Environment variables, with a one-line error instead of a traceback for invalid ones."""

import re
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import environ
from django.core.exceptions import ImproperlyConfigured

HOST_AND_PORT = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:,/]+)(?::\d{1,5})?")
RATE = re.compile(r"[1-9]\d*/(?:s|sec|m|min|h|hour|d|day)")
WANTED = {int: "an integer", float: "a number", bool: "on or off"}
TRUE = frozenset(environ.Env.BOOLEAN_TRUE_STRINGS)
FALSE = frozenset({"false", "off", "no", "n", "0", ""})


class Environment(environ.Env):  # type: ignore[misc]
    """django-environ, but an invalid value raises ImproperlyConfigured with the variable's name."""

    def get_value(self, var: str, cast: Any = None, *rest: Any, **options: Any) -> Any:
        if cast is bool and self.ENVIRON.get(var, "").strip().lower() not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{var} must be on or off")
        try:
            return super().get_value(var, cast, *rest, **options)
        except ValueError:
            raise ImproperlyConfigured(f"{var} must be {WANTED.get(cast, 'valid')}") from None

    def positive(self, var: str, *, default: int) -> int:
        """An integer of at least 1."""
        number: int = self.int(var, default=default)
        if number < 1:
            raise ImproperlyConfigured(f"{var} must be 1 or more")
        return number

    def not_negative(self, var: str, *, default: int) -> int:
        """An integer of at least 0."""
        number: int = self.int(var, default=default)
        if number < 0:
            raise ImproperlyConfigured(f"{var} must be 0 or more")
        return number

    def rate(self, var: str, *, default: str) -> str | None:
        """A rate limit such as ``600/min``; None if empty, which means unlimited."""
        rate: str = self(var, default=default)
        if rate and not RATE.fullmatch(rate):
            raise ImproperlyConfigured(f"{var} must be like 10/sec, 600/min, 5000/hour or 9000/day")
        return rate or None

    def choice(self, var: str, choices: tuple[str, ...]) -> str:
        """One of the choices; the first is the default."""
        word: str = self(var, default=choices[0])
        if word not in choices:
            raise ImproperlyConfigured(f"{var} must be one of {', '.join(choices)}")
        return word

    def servers(self, var: str, *, default: str) -> list[str]:
        """Comma-separated host:port pairs."""
        servers: list[str] = self.list(var, default=[default])
        if not servers or not all(HOST_AND_PORT.fullmatch(server) for server in servers):
            raise ImproperlyConfigured(f"{var} must be comma-separated host:port pairs")
        return servers

    def file(self, var: str) -> str | None:
        """The path of an existing file, or None if not set."""
        path: str | None = self(var, default=None)
        if path is not None and not Path(path).is_file():
            raise ImproperlyConfigured(f"{var} must be the path of a file")
        return path

    def mail(self, var: str, *, default: str) -> dict[str, Any]:
        """A mail URL, converted to Django's ``EMAIL_*`` settings."""
        wanted = f"{var} must be a URL, such as smtp+tls://user:password@host:587"
        try:
            config: dict[str, Any] = self.email_url(var, default=default)
        except (ValueError, KeyError, ImproperlyConfigured):  # their messages hold the password
            raise ImproperlyConfigured(wanted) from None
        if not config.get("EMAIL_BACKEND"):
            raise ImproperlyConfigured(wanted)
        return config

    def database(self, var: str, *, default: str) -> dict[str, Any]:
        """A database URL, converted to an entry of Django's ``DATABASES``."""
        wanted = f"{var} must be a URL, such as postgres://user:password@host:5432/name"
        try:
            with catch_warnings(action="ignore"):  # error and warning contain the password
                config: dict[str, Any] = self.db(var, default=default)
        except ValueError:
            raise ImproperlyConfigured(wanted) from None
        if "ENGINE" not in config:
            raise ImproperlyConfigured(wanted)
        return config
