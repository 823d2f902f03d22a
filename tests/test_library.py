"""The library on its own: its wheel in an empty environment, and nothing else of ours."""

import os
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbus.running import lifeline
from tests.following import Reader
from tests.stack import ROOT

UV = Path(sys.executable).with_name("uv")
SHIPMENTS = "from orders.models import Shipment; print('shipments:', Shipment.objects.count())"
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
SETTINGS_AT_FAULT = {
    'EVENTBUS.pop("SERVICE_NAME")': "EVENTBUS['SERVICE_NAME'] is missing",
    'EVENTBUS["TOPIC_PARTITION"] = 3': "Did you mean 'TOPIC_PARTITIONS'?",
    'EVENTBUS["TOPIC_PARTITIONS"] = "six"': "EVENTBUS['TOPIC_PARTITIONS'] is wrong",
}


def run(*words: object) -> None:
    """Run a command, and show what it printed if it fails."""
    done = lifeline.run([str(w) for w in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as it is distributed."""
    directory = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--out-dir", directory, ROOT / "common")
    [built] = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def shop(wheel: Path, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The project of somebody who followed the tutorial, with a broker at another address."""
    directory = tmp_path_factory.mktemp("reader")
    venv = directory / "venv"
    run(sys.executable, "-m", "venv", venv)
    run(UV, "pip", "install", "--quiet", "--python", venv / "bin" / "python", wheel)
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}

    def edit(text: str) -> str:
        installs = text.startswith("python -m pip install")  # done above, from the wheel
        return "python -m pip --version" if installs else text.replace("localhost:9092", kafka)

    reader = Reader(directory, {**kept, "PATH": f"{venv / 'bin'}:/usr/bin:/bin"}, edit)
    try:
        reader.follow(ROOT / "docs" / "tutorial.md")
        yield reader
    finally:
        reader.stop()


def test_the_wheel_has_the_library_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"eventbus"}
    assert "eventbus/py.typed" in names
    assert "eventbus/inbox/templates/admin/eventbus_inbox/decide.html" in names
    assert any(name.startswith("eventbus/inbox/static/") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_tutorial_leads_to_an_event_that_is_handled_once(shop: Reader) -> None:
    shop.run("python manage.py consume_events --drain", "Stopped:")
    assert "shipments: 1\n" in shop.output("python", "manage.py", "shell", "-c", SHIPMENTS)


def test_the_admin_works_in_a_project_with_nothing_but_djangos_own_apps(shop: Reader) -> None:
    pages = shop.output("python", "manage.py", "shell", "-c", ADMIN_PAGES)
    assert len(re.findall(r"^/admin/eventbus_\w+/\w+/ 200$", pages, re.M)) == 4, pages


@pytest.mark.parametrize("fault", SETTINGS_AT_FAULT)
@pytest.mark.parametrize("command", ["relay_events", "consume_events", "asyncapi", "check"])
def test_a_wrong_setting_ends_a_command_with_lines_and_no_traceback(
    shop: Reader, fault: str, command: str
) -> None:
    settings = shop.directory / "shop" / "settings_at_fault.py"
    settings.write_text(f"from shop.settings import *\n\n{fault}\n")
    words = ["python", "manage.py", command, "--settings=shop.settings_at_fault"]
    printed = shop.output(*words, code=1)
    assert SETTINGS_AT_FAULT[fault] in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("fault", SETTINGS_AT_FAULT)
def test_a_web_server_does_not_start_with_a_wrong_setting(shop: Reader, fault: str) -> None:
    settings = shop.directory / "shop" / "served_at_fault.py"
    middleware = "eventbus.middleware.EventContextMiddleware"
    settings.write_text(f"from shop.settings import *\n\nMIDDLEWARE += ['{middleware}']\n{fault}\n")
    start = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.served_at_fault'; import shop.wsgi"
    )
    printed = shop.output("python", "-c", start, code=1)
    assert printed.splitlines()[-1].startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert SETTINGS_AT_FAULT[fault] in printed.splitlines()[-1]
