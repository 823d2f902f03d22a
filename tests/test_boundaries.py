"""The boundaries between the services, and the accuracy of the documentation."""

import re
from pathlib import Path

import pytest

from tests.stack import ROOT, Stack

OWN_TABLES = {
    "product": {"products_category", "products_product", "eventbus_outbox_outboxevent"},
    "notification": {"notifications_notification", "notifications_delivery"},
    "audit": {"audit_auditentry"},
}
INBOX_TABLES = {
    f"eventbus_inbox_{name}"
    for name in ("inboxmessage", "parkedkey", "parkedevent", "parkeddecision", "workerstate")
}
LIST_TABLES = (
    "from django.db import connection; "
    "print('tables:', *connection.introspection.table_names()); "
    "print('database:', connection.settings_dict['NAME'])"
)


def test_each_service_has_a_database_and_tables_of_its_own(stack: Stack) -> None:
    databases = set()
    for service, own in OWN_TABLES.items():
        output = stack.manage(service, "shell", "--command", LIST_TABLES)
        [names] = re.findall(r"tables: (.*)", output)
        tables = set(names.split())
        databases.update(re.findall(r"database: (.*)", output))
        others = set().union(*(t for name, t in OWN_TABLES.items() if name != service))
        assert own <= tables
        assert not others & tables
        assert (tables >= INBOX_TABLES) == (service != "product")
    assert len(databases) == 3


def test_every_environment_variable_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "environment.md").read_text()
    others = [ROOT / "demo" / "services.py", ROOT / "docker" / "gunicorn.conf.py"]
    sources = [*ROOT.glob("*/settings.py"), *ROOT.glob("common/*/settings.py"), *others]
    code = "\n".join(path.read_text() for path in sources)
    variables = set(re.findall(r'env[.\w]*\(\s*"([A-Z_]+)"|environ\.get\("([A-Z_]+)"', code))
    names = {first or second for first, second in variables}
    assert len(names) > 20
    assert {name for name in names if f"`{name}`" not in reference} == set()


def test_every_command_is_in_the_reference() -> None:
    reference = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    commands = {
        path.stem
        for package in ("common", "product_service", "notification_service", "audit_service")
        for path in (ROOT / package).glob("**/management/commands/[!_]*.py")
    }
    assert len(commands) > 10
    assert {name for name in commands if not re.search(rf"`{name}\b", reference)} == set()


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_every_path_and_link_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    paths = re.findall(
        r"`?\b((?:common|product_service|notification_service|audit_service|demo|docs|tests)"
        r"/[\w/]+\.(?:py|md|html))",
        text,
    )
    missing = [link for link in links if not (document.parent / link).exists()]
    missing += [path for path in paths if not (ROOT / path).exists()]
    assert missing == []
