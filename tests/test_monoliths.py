"""Models of two monoliths from PyPI, none of whose files is touched, published by declarations.

Their own pages change the tables; the events have to be exactly those that a diff of the tables
asks for, page by page.
"""

import re
import shutil
from pathlib import Path

import pytest

from tests.following import Reader
from tests.installing import environment_with
from tests.stack import ROOT

MONOLITHS = ROOT / "tests" / "monoliths"
PAGE = re.compile(r"^(.+): (\d+) rows, (\d+) events$", re.M)


def monolith(name: str, wheel: Path, directory: Path, *requirements: str) -> Reader:
    """A project in an environment of its own, with the library installed."""
    environment = environment_with(directory, wheel, *requirements)
    project = shutil.copytree(MONOLITHS / name, directory / name)
    shutil.copy(MONOLITHS / "books.py", project)
    return Reader(project, {**environment, "KAFKA_BOOTSTRAP_SERVERS": "localhost:1"}, str)


def pages(reader: Reader, script: str) -> dict[str, tuple[int, int]]:
    """What a script found: after each page, how many rows changed and how many events that made."""
    printed = reader.output("python", "manage.py", "shell", "-v0", "-c", f"import {script}")
    return {name: (int(rows), int(events)) for name, rows, events in PAGE.findall(printed)}


@pytest.fixture
def oscar(wheel: Path, tmp_path: Path) -> Reader:
    """A shop of django-oscar."""
    return monolith(
        "oscar_shop", wheel, tmp_path, "django-oscar[sorl-thumbnail]==4.2", "Django==5.2.*"
    )


def test_oscars_dashboard_and_checkout(oscar: Reader) -> None:
    oscar.run("python manage.py write_contracts", "Review and commit it")
    oscar.run("python manage.py check", "System check identified no issues (0 silenced).")
    oscar.run("python manage.py makemigrations --check", "No changes detected")
    oscar.run("python manage.py migrate -v0", "")
    found = pages(oscar, "trade")
    assert found["new product"] == (3, 3)
    assert found["edited without a change"] == (0, 0)
    assert found["checkout"][0] == 3
    assert found["deleted product"][0] == 4  # the order's line stays, without its product


@pytest.fixture
def wagtail(wheel: Path, tmp_path: Path) -> Reader:
    """A site of Wagtail."""
    return monolith(
        "wagtail_site", wheel, tmp_path, "wagtail==8.0.*", "Django==5.2.*", "django-environ"
    )


def test_wagtails_pages(wagtail: Reader) -> None:
    """They are moved by raw SQL, which triggers see."""
    wagtail.run("python manage.py write_contracts", "Review and commit it")
    wagtail.run("python manage.py makemigrations stories", "")
    wagtail.run("python manage.py makemigrations --check", "No changes detected")
    wagtail.run("python manage.py migrate -v0", "")
    wagtail.run("python manage.py check", "System check identified no issues (0 silenced).")
    wagtail.run("python manage.py verify_publishing", "")
    found = pages(wagtail, "write")
    assert found["moved with what is below"][0] == 2
    assert found["deleted with what is below"][0] == 6
