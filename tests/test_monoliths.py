"""Models of two monoliths from PyPI, none of whose files is touched, published by declarations.

Their own pages change the tables; the events have to be exactly those that a diff of the tables
asks for, page by page.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.following import Reader
from tests.installing import environment_with
from tests.rig.postgres import Postgres
from tests.stack import ROOT

MONOLITHS = ROOT / "tests" / "monoliths"
PAGE = re.compile(r"^(.+): (\d+) rows, (\d+) events$", re.M)


DJANGO = ("Django==5.2.*", "django-environ", "psycopg[binary]")
OSCAR = ("django-oscar[sorl-thumbnail]==4.2", *DJANGO)
WAGTAIL = ("wagtail==8.0.*", *DJANGO)

pytestmark = pytest.mark.real_too
Monolith = Callable[..., Reader]


@pytest.fixture
def monolith(
    wheel: Path, tmp_path: Path, kafka: str, real: bool, request: pytest.FixtureRequest
) -> Monolith:
    """Copies a project and installs it, with the library, in an environment of its own."""

    def copy(name: str, *requirements: str) -> Reader:
        environment = environment_with(tmp_path, wheel, *requirements)
        project = shutil.copytree(MONOLITHS / name, tmp_path / name)
        shutil.copy(MONOLITHS / "books.py", project)
        if real:
            server: Postgres = request.getfixturevalue("product_postgres")
            server.execute(f"CREATE DATABASE {name}")
            environment["DATABASE_URL"] = server.url(name)
        return Reader(project, {**environment, "KAFKA_BOOTSTRAP_SERVERS": kafka}, str)

    return copy


def pages(reader: Reader, script: str) -> dict[str, tuple[int, int]]:
    """What a script found: after each page, how many rows changed and how many events that made."""
    printed = reader.output("python", "manage.py", "shell", "-v0", "-c", f"import {script}")
    return {name: (int(rows), int(events)) for name, rows, events in PAGE.findall(printed)}


def test_oscars_dashboard_and_checkout(monolith: Monolith) -> None:
    oscar = monolith("oscar_shop", *OSCAR)
    oscar.run("python manage.py write_contracts", "Review and commit it")
    oscar.run("python manage.py check", "System check identified no issues (0 silenced).")
    oscar.run("python manage.py makemigrations --check", "No changes detected")
    oscar.run("python manage.py migrate -v0", "")
    found = pages(oscar, "trade")
    assert found["new product"] == (3, 3)
    assert found["edited without a change"] == (0, 0)
    assert found["checkout"][0] == 3
    assert found["deleted product"][0] == 4  # the order's line stays, without its product


def test_wagtails_pages(monolith: Monolith) -> None:
    """They are moved by raw SQL, which triggers see."""
    wagtail = monolith("wagtail_site", *WAGTAIL)
    wagtail.run("python manage.py write_contracts", "Review and commit it")
    wagtail.run("python manage.py makemigrations stories", "")
    wagtail.run("python manage.py makemigrations --check", "No changes detected")
    wagtail.run("python manage.py migrate -v0", "")
    wagtail.run("python manage.py check", "System check identified no issues (0 silenced).")
    wagtail.run("python manage.py verify_publishing", "")
    found = pages(wagtail, "write")
    assert found["moved with what is below"][0] == 2
    assert found["deleted with what is below"][0] == 6
