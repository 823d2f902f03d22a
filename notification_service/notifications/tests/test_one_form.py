"""The API returns values in the form in which it stores them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

DROP = {"condition": "price_dropped"}


@pytest.mark.parametrize(
    "body",
    [
        {**DROP, "percent": "-0"},
        {**DROP, "below": -0.0},
        {**DROP, "percent": "1e1", "below": "24.5"},
        {"quiet_from": "22:00", "quiet_until": "06:00:00.5"},
        {"products": "text", "text": " e\u0301clair\n"},
        {"products": "category", "category": " kitchen "},
        {"products": "list", "product_ids": [" 7 ", 8]},
        {"digest_hour": "07"},
    ],
)
def test_a_subscription_is_returned_as_it_is_stored(body: dict[str, Any]) -> None:
    client = APIClient()
    client.force_login(User.objects.create_user("eve"))
    made = client.post("/api/subscriptions/", body, format="json")
    assert made.status_code == 201, made.json()
    url = f"/api/subscriptions/{made.json()['id']}/"
    assert client.get(url).json() == made.json()
    changed = client.patch(url, body, format="json")
    assert client.get(url).json() == changed.json()
