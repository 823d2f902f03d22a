"""The contract classes of published models: written, reviewed, and compared ever after."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Error
from django.core.management import CommandError

from common.tests.conftest import Settings, called
from eventbus.capture import publish_model, through
from eventbus.capture.checks import contracts_fit_models
from eventbus.capture.publication import Publication
from eventbus.outbox.published import published

pytestmark = pytest.mark.usefixtures("own_publications", "own_contracts")


@pytest.fixture
def package(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package to be, which the settings name."""
    (tmp_path / "shop_of_test").mkdir()
    (tmp_path / "shop_of_test" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": ["shop_of_test.contracts"]}
    yield tmp_path / "shop_of_test" / "contracts"
    for name in [name for name in sys.modules if name.startswith("shop_of_test")]:
        del sys.modules[name]


def users(**options: Any) -> Publication:
    given = {"topic": "users", "event": "user", "fields": ["username", "last_login"], **options}
    return publish_model("auth.User", **given)


def found() -> list[str]:
    return [message.msg for message in contracts_fit_models() if isinstance(message, Error)]


def test_it_writes_a_module_whose_classes_take_the_rows(package: Path) -> None:
    user = users()
    publish_model(through("auth.User.groups"), event="user_group", topic="users")
    printed = called("write_contracts")
    assert f"user: {package / 'user.py'} written. Review and commit it" in printed
    assert {path.name for path in package.iterdir()} == {"__init__.py", "user.py", "user_group.py"}
    assert [contract.event_type for contract in published()] == [
        f"{event}.{verb}"
        for event in ("user", "user_group")
        for verb in ("created", "deleted", "snapshot", "updated")
    ]
    assert found() == []
    before = {"id": 7, "username": "ada", "last_login": None}
    event: Any = user.updated(before, {**before, "username": "grace"}, {})
    assert (event.subject, event.username, event.previous.username) == ("7", "grace", "ada")
    assert "up to date" in called("write_contracts", "--check")


def test_before_it_ran_start_up_says_what_to_do(package: Path) -> None:
    users()
    package.mkdir()
    (package / "__init__.py").touch()
    [message] = contracts_fit_models()
    assert message.msg.startswith("auth.User as user: no contract in EVENTBUS['PUBLISHES'] defines")
    assert message.hint == "Run: python manage.py write_contracts user"


def test_a_declaration_that_changes_is_noticed_and_its_module_written_again(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users()
    called("write_contracts")
    published()
    from eventbus.capture import registry

    monkeypatch.setattr(registry, "_publications", {})
    users(fields=["username", "email"], topic="people")
    assert found() == [
        f"auth.User as user: {line}."
        for name in ("UserCreated", "UserUpdated", "UserDeleted", "UserSnapshot")
        for line in (
            f"{name} is on the topic 'users', the model on 'people'",
            f"{name} has no field 'email', which the declaration publishes",
            f"{name}.last_login is required, and the declaration does not publish it",
            *(
                ["UserPrevious has no field 'email', which the declaration publishes"]
                if name == "UserUpdated"
                else []
            ),
        )
    ]
    with pytest.raises(CommandError, match="Contracts differ from the published models: user"):
        called("write_contracts", "--check")
    called("write_contracts")
    assert "email: str" in (package / "user.py").read_text()


BY_HAND = '''
from eventbus.events import Contract, event


@event("user.created", topic="users")
class UserCreated(Contract, frozen=True, kw_only=True):
    """Somebody joined."""

    id: str
    username: str
    last_login: str | None = None
'''


def test_a_module_written_by_hand_is_compared_and_never_changed(package: Path) -> None:
    users()
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "people.py").write_text(BY_HAND)
    published()
    with pytest.raises(CommandError, match="differ"):
        called("write_contracts")
    assert (package / "people.py").read_text() == BY_HAND
    assert (
        "auth.User as user: UserCreated.id takes string, and the column holds integer." in found()
    )
    assert len([line for line in found() if "last_login" in line]) == 1


@pytest.mark.parametrize(
    ("publishes", "words", "reason"),
    [
        ([], [], "names no package to write into"),
        (["common.tests", "common.contracts"], [], "Say which package to write into: --package"),
        (["common.contracts"], ["nobody"], "No published model has the event .nobody.; there are"),
        ([], ["--package=common.contracts.product"], "is no package, and cannot become one"),
    ],
)
def test_where_it_cannot_write_it_says_so_in_one_line(
    settings: Settings, publishes: list[str], words: list[str], reason: str
) -> None:
    users()
    settings.EVENTBUS = {**settings.EVENTBUS, "PUBLISHES": publishes}
    with pytest.raises(CommandError, match=reason) as refused:
        called("write_contracts", *words)
    assert len(str(refused.value).splitlines()) == 1


def test_without_declarations_it_says_how_to_begin() -> None:
    with pytest.raises(CommandError, match=r"Declare one in an app's events.py"):
        called("write_contracts")
