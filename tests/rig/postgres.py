"""Temporary PostgreSQL servers for the tests, with a database and a role per service."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from eventbus.running import lifeline
from tests.stack import ROOT, SERVICES, free_port, prepare

SCRIPT = ROOT / "docker" / "postgres" / "databases.sh"
SUPERUSER = "postgres"
PASSWORDS = {role: f"{role}-secret" for role in (*SERVICES, SUPERUSER)}
START_SECONDS = 60
TCP_ONLY = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]


class Postgres:
    """A server with data in a directory.

    PostgreSQL refuses to run as root; then it runs as the user ``postgres`` of its package.

    :param directory: an empty directory that every user may enter.
    :param durable: wait for the disk at each commit, as PostgreSQL does by default. Without it,
        data is only lost if the machine crashes, which no test causes.
    :param options: further options of the server, such as ``-c`` and ``work_mem=64MB``.
    """

    def __init__(
        self, directory: Path, *, durable: bool = False, options: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self._options = [*TCP_ONLY, *options, *([] if durable else ["-c", "fsync=off"])]
        self.port = free_port()
        self._process: lifeline.Started | None = None
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, SUPERUSER, SUPERUSER)
            # Not with Popen's user option: that user may not enter our interpreter's directory.
            self._as_user = ["setpriv", f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}"]
            self._as_user.append("--clear-groups")
        self._initdb()

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        place = ["-D", self._data, "-p", str(self.port)]
        with (self.directory / "log").open("ab") as log:
            self._process = lifeline.start(
                [*self._as_user, program("postgres"), *place, *self._options],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                log_text = (self.directory / "log").read_text()
                raise RuntimeError(f"PostgreSQL did not start:\n{log_text[-2000:]}")
            time.sleep(0.02)

    def crash(self) -> None:
        """Stop it in immediate mode: no checkpoint, and every session is terminated."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop it for good, and delete its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._data)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def create_databases(self) -> None:
        """Create roles and databases with the script that the container runs."""
        passwords = {f"{role.upper()}_DB_PASSWORD": word for role, word in PASSWORDS.items()}
        login = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        login["PGPASSWORD"] = PASSWORDS[SUPERUSER]
        lifeline.run([SCRIPT], env={**os.environ, **login, **passwords}, check=True)

    @property
    def pid(self) -> int:
        """The process id of the server."""
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running")
        return self._process.pid

    def url(self, database: str, role: str = SUPERUSER) -> str:
        """The ``DATABASE_URL`` of a database for a role."""
        return f"postgres://{role}:{PASSWORDS[role]}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: sql.SQL | sql.Composed | str, database: str = SUPERUSER) -> None:
        """Run one statement as the superuser, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(sql.SQL(statement) if isinstance(statement, str) else statement)

    @property
    def _data(self) -> str:
        return str(self.directory / "data")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(SUPERUSER), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, signum: int) -> None:
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait()
            self._process = None

    def _initdb(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORDS[SUPERUSER])
        login = ["--auth=scram-sha-256", f"--username={SUPERUSER}", f"--pwfile={password}"]
        done = lifeline.run(
            [*self._as_user, program("initdb"), *login, self._data],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stderr}")


class PostgresDatabases:
    """Empty, migrated databases with one superuser, created once and copied for each stack.

    :param servers: the server of each service; several may share one.
    """

    def __init__(self, servers: Mapping[str, Postgres]) -> None:
        self._servers = servers
        self._numbers = count(1)
        for server in set(servers.values()):
            server.create_databases()
        for service, server in servers.items():
            prepare(service, server.url(service, role=service))

    def copy(self, service: str, directory: Path) -> str:
        copied = f"{service}_{next(self._numbers)}"
        names = {"copied": copied, "service": service}
        statement = sql.SQL("CREATE DATABASE {copied} OWNER {service} TEMPLATE {service}")
        identifiers = {name: sql.Identifier(value) for name, value in names.items()}
        self._servers[service].execute(statement.format(**identifiers))
        return self._servers[service].url(copied, role=service)


def program(name: str) -> str:
    """The path of a program; Debian has a directory per version, of which the newest is used."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        raise RuntimeError("No PostgreSQL server found: apt-get install postgresql")
    return found
