"""The setting: missing, misspelled and invalid keys are reported in one line at startup."""

import msgspec
import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured

from common.tests.conftest import Settings
from eventbus.checks import TAG
from eventbus.conf import BusSettings, bus_settings

KEYS = [field.encode_name for field in msgspec.structs.fields(BusSettings)]
RIGHT = {"SERVICE_NAME": "shop"}


class Odd:
    """A value of a type that no key accepts."""


def errors(settings: Settings, configured: object) -> list[CheckMessage]:
    """The errors of the check; asserts that reading the settings raises the first of them."""
    settings.EVENTBUS = configured
    found = run_checks(tags=[TAG])
    if found:
        with pytest.raises(ImproperlyConfigured) as raised:
            bus_settings()
        assert str(raised.value).startswith(found[0].msg)
        assert "\n" not in str(raised.value)
    return found


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_the_wrong_type(settings: Settings, key: str) -> None:
    [error] = errors(settings, {**RIGHT, key: Odd()})
    assert error.id == "eventbus.E001"
    assert error.msg.startswith(f"EVENTBUS['{key}'] is invalid: ")
    assert error.hint is not None
    assert error.hint.startswith("Its meaning: ")


@pytest.mark.parametrize("key", KEYS)
def test_a_typing_error(settings: Settings, key: str) -> None:
    [error] = errors(settings, {**RIGHT, key[:-1]: "anything"})
    assert error.msg == f"EVENTBUS['{key[:-1]}'] is not a setting."
    assert error.hint == f"Did you mean '{key}'?"


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_default_but_the_name(settings: Settings, key: str) -> None:
    found = errors(settings, {name: value for name, value in RIGHT.items() if name != key})
    assert [error.msg for error in found] == (
        ["EVENTBUS['SERVICE_NAME'] is missing."] if key == "SERVICE_NAME" else []
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SERVICE_NAME", ""),
        ("SERVICE_NAME", "two words"),
        ("TOPIC_PARTITIONS", 0),
        ("TOPIC_PARTITIONS", "6"),
        ("TOPIC_PARTITIONS", True),
        ("TOPIC_RETENTION_MS", -2),
        ("INBOX_RETENTION_DAYS", -1),
        ("PUBLISHES", "shop.contracts"),
        ("CONSUMER_TOPICS", [1]),
        ("DATABASE_ALIAS", ""),
    ],
)
def test_a_value_that_means_nothing(settings: Settings, key: str, value: object) -> None:
    [error] = errors(settings, {**RIGHT, key: value})
    assert key in error.msg


def test_all_mistakes_are_reported_at_once(settings: Settings) -> None:
    wrong = {"SERVICE_NAMES": "shop", "TOPIC_PARTITIONS": 0, "INBOX_RETENTION_DAYS": None}
    assert len(errors(settings, wrong)) == 4


@pytest.mark.parametrize("value", [None, "shop", [("SERVICE_NAME", "shop")]])
def test_a_value_that_is_not_a_dict(settings: Settings, value: object) -> None:
    [error] = errors(settings, value)
    assert error.msg == "EVENTBUS must be a dict."


def test_values_are_not_shown_since_they_may_be_passwords(settings: Settings) -> None:
    [error] = errors(settings, {**RIGHT, "KAFKA": "hunter2"})
    assert "hunter2" not in f"{error.msg} {error.hint}"
