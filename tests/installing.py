"""Install the library without the rest of this repository, as its users do."""

import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from eventbus.running import lifeline
from tests.following import Reader
from tests.stack import ROOT

UV = Path(sys.executable).with_name("uv")
KEPT = ("HOME", "LANG", "TMPDIR")
"""The variables that a new environment inherits."""
ADMIN_PAGES = """
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

client = Client(headers={"host": "localhost"})
client.force_login(User.objects.create_superuser("admin"))
for model in ("outbox_outboxevent", "inbox_parkedkey", "inbox_parkedevent", "inbox_workerstate"):
    page = client.get(reverse(f"admin:eventbus_{model}_changelist"))
    print(page.request["PATH_INFO"], page.status_code)
"""


def run(*words: object) -> None:
    """Run a command, and show its output if it fails."""
    done = lifeline.run([str(w) for w in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library's wheel."""
    directory = tmp_path_factory.mktemp("wheel")
    builder = ROOT / "requirements" / "build.txt"
    options = ["--quiet", "--wheel", "--build-constraints", builder, "--out-dir", directory]
    run(UV, "build", *options, ROOT / "common")
    [built] = directory.glob("*.whl")
    return built


def environment_with(directory: Path, *requirements: object) -> dict[str, str]:
    """Create a virtual environment.

    :param directory: an existing directory.
    :param requirements: what to install, as arguments of pip.
    :returns: environment variables for processes that use it and nothing of this one.
    """
    venv = directory / "venv"
    run(sys.executable, "-m", "venv", venv)
    python = venv / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, *requirements)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PATH": f"{venv / 'bin'}:/usr/bin:/bin"}


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """The result of a query to a SQLite database."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def assert_admin_pages_open(reader: Reader, *options: str) -> None:
    """The bus's pages open in the admin of the reader's project.

    :param options: further options of ``manage.py``.
    """
    pages = reader.output("python", "manage.py", "shell", "-c", ADMIN_PAGES, *options)
    assert len(re.findall(r"^/admin/eventbus_\w+/\w+/ 200$", pages, re.M)) == 4, pages
