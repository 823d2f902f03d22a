import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from rest_framework.test import APIClient

from eventbus.testing.bus import bus

__all__ = ["bus"]


@pytest.fixture(autouse=True)
def no_requests_so_far() -> None:
    """What other tests asked for does not count against the throttling of this one."""
    cache.clear()


@pytest.fixture
def editor() -> APIClient:
    """Logged in as somebody who may do everything with products, and nothing else."""
    user = User.objects.create_user("eve", password="pw")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="products"))
    client = APIClient()
    client.force_login(user)
    return client
