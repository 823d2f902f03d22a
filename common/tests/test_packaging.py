"""The library needs only the dependencies in its metadata."""

import importlib
import pkgutil
import re
from importlib.metadata import metadata
from pathlib import Path

import pytest

import eventbus

README = Path(__file__).parents[1] / "README.md"
MODULES = sorted(m.name for m in pkgutil.walk_packages(eventbus.__path__, "eventbus."))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name: str) -> None:
    importlib.import_module(name)


def test_templates_and_static_files_are_in_folders_of_the_librarys_name():
    root = Path(eventbus.__file__).parent
    names = {
        folder.name if folder.name != "admin" else next(folder.iterdir()).name
        for kind in ("templates", "static")
        for files in root.rglob(kind)
        for folder in files.iterdir()
    }
    assert names == {"eventbus_inbox", "eventbus_outbox"}


def test_the_readme_lists_the_extras():
    extras = metadata("django-kafka-eventbus").get_all("Provides-Extra")
    [sentence] = re.findall(r"^The extras are ([^.]+)\.", README.read_text(), re.M)
    assert re.findall(r"`(\w+)`", sentence) == extras
