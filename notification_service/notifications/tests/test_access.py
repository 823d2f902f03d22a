"""Access control: every URL requires a login, and users see their own rows only."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from rest_framework.relations import RelatedField

from common.servicekit.testing.access import (
    OPEN_EVERYWHERE,
    Open,
    answers,
    api_views,
    open_to_anybody,
    views_with_unguarded_filters,
)
from common.servicekit.testing.pages import Page, Values, pages
from notification_service.notifications.api.subscriptions import SubscriptionSerializer
from notification_service.notifications.models import (
    Circuit,
    Delivery,
    Endpoint,
    Notification,
    ProductEvent,
    Subscription,
)
from notification_service.notifications.own import OwnRelatedField
from notification_service.notifications.tests.rules import KETTLE

pytestmark = pytest.mark.django_db

OPEN = {
    **OPEN_EVERYWHERE,
    "/unsubscribe/<token>/": Open(
        frozenset(["GET", "HEAD", "POST"]), "The signed link in each mail (RFC 8058)."
    ),
}
VALUES: Values = {
    "pk": [1],
    "id": [1],
    "object_id": [1],
    "content_type_id": [1],
    "format": ["json", ".json"],
    "app_label": ["notifications"],
    "url": ["nowhere"],
    "token": ["forged"],
}


def test_only_the_listed_urls_are_open_without_a_login() -> None:
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}


def test_no_filter_offers_rows_of_other_users() -> None:
    assert views_with_unguarded_filters(VALUES) == []


def test_references_are_limited_to_own_rows() -> None:
    serializers: set[Any] = {getattr(view, "serializer_class", None) for view in api_views(VALUES)}
    serializers -= {None}
    assert SubscriptionSerializer in serializers
    fields = [field for one in serializers for field in one().fields.values()]
    references = [f for f in fields if isinstance(f, RelatedField) and not f.read_only]
    assert references
    assert all(isinstance(field, OwnRelatedField) for field in references)


MINE, THEIRS, NOBODYS = 77_000_011, 88_000_001, 99_000_009
"""Primary keys, chosen so that none occurs within another number of a page."""


def key(number: int) -> uuid.UUID:
    return uuid.UUID(f"00000000-0000-7000-8000-{number:012}")


def give(user: User, number: int, word: str, event: ProductEvent) -> None:
    """Give a user one row of each kind, each containing a word that occurs nowhere else."""
    endpoint = Endpoint.objects.create(
        pk=number, owner=user, name=f"{word}-endpoint", url=f"https://{word}.example/hook"
    )
    subscription = Subscription.objects.create(
        pk=number, owner=user, channel="webhook", endpoint=endpoint, category=f"{word}-category"
    )
    Notification.objects.create(pk=number, user=user, kind="created", text=f"{word}-text")
    Delivery.objects.create(
        pk=key(number), subscription=subscription, event=event, owner=user, channel="webhook",
        endpoint=endpoint, facts="created", due_at=timezone.now(), answer=f"{word}-answer",
    )  # fmt: skip
    Circuit.objects.create(lane=endpoint.lane, reason=f"{word}-reason", open_until=timezone.now())


@pytest.fixture(params=["no permission", "endpoint permissions"])
def asker(request: pytest.FixtureRequest) -> User:
    """The user who sends the requests, beside another user with the same rows.

    Has no permission, or all permissions on endpoints, which must not reveal other users' rows.
    """
    user = User.objects.create_user("asker", "asker@example.com", pk=MINE)
    other = User.objects.create_user("zanzibar", "zanzibar@example.com", pk=THEIRS)
    event = ProductEvent.objects.create(
        event_id="e1", source="/shop", type="product.created", product_id="1",
        at=timezone.now(), facts="created", data=json.dumps(KETTLE),
    )  # fmt: skip
    give(user, MINE, "mine", event)
    give(other, THEIRS, "zanzibar", event)
    # Long ago, so that relative times on pages do not change during the test.
    Notification.objects.update(created_at=timezone.now() - timedelta(days=40, hours=12))
    if request.param == "endpoint permissions":
        user.user_permissions.set(Permission.objects.filter(content_type__model="endpoint"))
    return user


def pages_about(number: int) -> list[Page]:
    """All pages except those of the admin, which the user cannot open."""
    values = {**VALUES, "pk": [number, key(number)]}
    return [page for page in pages(values) if not page.path.startswith("/admin/")]


def fields(number: int) -> dict[str, object]:
    """Every field that refers to rows, in filters, API bodies and forms, plus the required ones."""
    references = ("subscription", "endpoint", "owner", "user", "before", "after")
    complete = {
        "channel": "webhook", "condition": "anything", "products": "all", "schedule": "at_once",
        "digest_hour": 8, "time_zone": "UTC", "language": "en", "product_ids": [],
        "event_types": [], "name": "x", "url": "http://refused.example/", "read": True,
    }  # fmt: skip
    return {**dict.fromkeys(references, number), **complete}


def test_no_page_reveals_rows_of_another_user(asker: User, client: Client) -> None:
    client.force_login(asker)
    seen = []
    for asked, text in answers(client, pages_about(MINE), fields(MINE)):
        seen.append(text)
        for secret in ("zanzibar", str(THEIRS)):
            assert secret not in text.lower(), asked
    assert sum("mine-answer" in text for text in seen) > 3


def test_rows_of_another_user_look_like_rows_that_do_not_exist(asker: User, client: Client) -> None:
    client.force_login(asker)
    theirs = answers(client, pages_about(THEIRS), fields(THEIRS), THEIRS)
    nobodys = answers(client, pages_about(NOBODYS), fields(NOBODYS), NOBODYS)
    for one, other in zip(theirs, nobodys, strict=True):
        assert one == other
        assert "zanzibar" not in one.text.lower(), one.asked


@pytest.mark.parametrize(("permission", "status"), [("change", 200), ("add", 403), ("view", 403)])
def test_rotating_a_secret_requires_the_change_permission(
    client: Client, permission: str, status: int
) -> None:
    user = User.objects.create_user("asker")
    user.user_permissions.add(Permission.objects.get(codename=f"{permission}_endpoint"))
    endpoint = Endpoint.objects.create(owner=user, name="x", url="https://x.example/")
    client.force_login(user)
    assert client.post(f"/api/endpoints/{endpoint.pk}/rotate/").status_code == status


def test_admin_autocomplete_requires_the_view_permission(asker: User, client: Client) -> None:
    asker.is_staff = True
    asker.save()
    asker.user_permissions.add(Permission.objects.get(codename="change_subscription"))
    client.force_login(asker)
    of = {"app_label": "notifications", "model_name": "subscription", "field_name": "endpoint"}
    page = client.get("/admin/autocomplete/", {**of, "term": "zanz"})
    may_view = User.objects.get(pk=asker.pk).has_perm("notifications.view_endpoint")
    assert (page.status_code == 200) == may_view
    assert ("zanzibar-endpoint" in page.content.decode()) == may_view


def test_an_admin_filter_requires_the_view_permission_of_its_rows(
    asker: User, client: Client
) -> None:
    asker.is_staff = True
    asker.save()
    asker.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(asker)
    page = client.get("/admin/notifications/delivery/").content.decode()
    may_view = User.objects.get(pk=asker.pk).has_perm("notifications.view_endpoint")
    assert "created" in page
    assert ("zanzibar-endpoint" in page) == may_view
