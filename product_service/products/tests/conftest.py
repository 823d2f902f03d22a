import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from rest_framework.test import APIClient

from eventbus.testing.bus import bus

__all__ = ["bus"]


@pytest.fixture(autouse=True)
def no_requests_so_far() -> None:
    """Reset throttling, so that requests of other tests do not count."""
    cache.clear()


@pytest.fixture
def editor() -> APIClient:
    """A client with all permissions on products, and no others."""
    user = User.objects.create_user("eve", password="pw")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="products"))
    client = APIClient()
    client.force_login(user)
    return client
