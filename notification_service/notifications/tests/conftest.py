from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from eventbus.testing.bus import bus
from notification_service.notifications.models import Circuit, Delivery, Subscription
from notification_service.notifications.tests.rules import Follow

__all__ = ["bus"]


@pytest.fixture
def user(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ada", "ada@example.com", "ada")


@pytest.fixture
def follow(user: User) -> Follow:
    """Create a subscription of the user, validated as by a form or the API."""

    def make(**values: Any) -> Subscription:
        subscription = Subscription(owner=values.pop("owner", user), **values)
        subscription.full_clean()
        subscription.save()
        return subscription

    return make


@pytest.fixture
def later() -> Callable[[], None]:
    """Make waiting deliveries due, and end the pauses of failing receivers."""

    def pass_time() -> None:
        Delivery.objects.filter(state="pending").update(due_at="2026-01-01T00:00Z")
        Circuit.objects.update(open_until="2026-01-01T00:00Z")

    return pass_time
