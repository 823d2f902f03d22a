"""Declaring what is published of a model: what is understood, and what is refused with a reason."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from eventbus.capture import field, publish_model, through
from eventbus.capture.registry import publications

pytestmark = pytest.mark.usefixtures("own_publications")


def declared(**options: Any) -> Any:
    given: dict[str, Any] = {
        "model": "auth.User",
        "event": "user",
        "topic": "users",
        "fields": ["username", "email"],
    }
    given.update(options)
    return publish_model(given.pop("model"), **given)


def test_the_key_comes_first_and_the_counter_last() -> None:
    entry = declared(model="admin.LogEntry", fields=["object_repr"], sequence="action_flag")
    assert [field.name for field in entry.fields] == ["id", "object_repr", "action_flag"]
    assert declared(event="group", model="auth.Group", fields=["name", "id"]).columns == (
        "id",
        "name",
    )


def test_foreign_keys_are_published_as_ids_and_content_types_by_name() -> None:
    permission = declared(model="auth.Permission", fields=["codename", "content_type"])
    assert [field.annotation for field in permission.fields] == ["int", "str", "str"]
    assert permission.columns == ("id", "codename", "content_type_id")


def test_a_table_between_two_models_has_its_keys() -> None:
    membership = declared(model=through("auth.User.groups"), event="membership", fields=[])
    assert [field.name for field in membership.fields] == ["id", "user", "group"]


def test_a_key_of_text() -> None:
    session = declared(model="sessions.Session", fields=["expire_date"])
    assert [(field.name, field.annotation) for field in session.fields] == [
        ("session_key", "str"),
        ("expire_date", "Annotated[datetime, Meta(tz=True)]"),
    ]


def test_times_that_each_write_sets_are_no_change() -> None:
    user = declared(fields=["username", "last_login"], touched="last_login")
    assert [field.name for field in user.watched] == ["username"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": "auth.Nobody"}, "there is no such model"),
        ({"model": "nonsense"}, "there is no such model"),
        ({"model": through("auth.User.email")}, "auth.User.email is not a many-to-many field"),
        ({"event": "User"}, "an event is called in lower case"),
        ({"fields": []}, "Say which fields of auth.User are published"),
        ({"fields": ["nickname"]}, r"auth.User has no field 'nickname' .* it has id, password"),
        ({"fields": ["groups"]}, r'Publish a many-to-many relation by through\("auth.User.groups"'),
        ({"fields": ["email.domain"]}, "it is not one foreign key away"),
        (
            {"model": "auth.Permission", "fields": ["content_type.model"]},
            r"field\('content_type.model', unchanging=True\)",
        ),
        ({"fields": [field("email", name="topic")]}, r"field\('topic', name=...\)"),
        ({"sequence": "email"}, "auth.User.email is not a IntegerField"),
        ({"touched": "nothing"}, "auth.User.nothing is not a DateTimeField"),
        ({"fields": [field("email", write=str, type=set)]}, "Say how its values are written"),
    ],
)
def test_what_cannot_be_published_is_refused_in_one_line(
    options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=reason) as refused:
        declared(**options)
    assert len(str(refused.value).splitlines()) == 1
    assert publications() == []


def test_a_model_and_an_event_are_published_once() -> None:
    declared()
    with pytest.raises(ImproperlyConfigured, match=r"auth.User is published twice"):
        declared(event="account")
    with pytest.raises(ImproperlyConfigured, match=r"'user' is taken by auth.User"):
        declared(model="auth.Group", fields=["name"])
