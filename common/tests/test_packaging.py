"""The library needs only the dependencies in its metadata."""

import importlib
import pkgutil

import pytest

import eventbus

MODULES = sorted(m.name for m in pkgutil.walk_packages(eventbus.__path__, "eventbus."))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name):
    importlib.import_module(name)
