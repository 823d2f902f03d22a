"""Who may see what: every URL is closed to strangers, and nobody sees what is somebody else's."""

import pytest

from common.testing.access import OPEN_EVERYWHERE, Open, open_to_anybody

pytestmark = pytest.mark.django_db

OPEN = {
    **OPEN_EVERYWHERE,
    "/unsubscribe/<token>/": Open(
        frozenset(["GET", "HEAD", "POST"]), "The link in each mail; it is signed (RFC 8058)."
    ),
}
VALUES = {
    "pk": [1],
    "id": [1],
    "object_id": [1],
    "content_type_id": [1],
    "format": ["json", ".json"],
    "app_label": ["notifications"],
    "url": ["nowhere"],
    "token": ["forged"],
}


def test_nothing_is_open_to_strangers_but_what_is_listed_here():
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}
