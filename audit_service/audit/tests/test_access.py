"""Who may see what: every URL is closed to strangers, the record to those without permission."""

import pytest

from common.testing.access import OPEN_EVERYWHERE, open_to_anybody

pytestmark = pytest.mark.django_db

OPEN = OPEN_EVERYWHERE
VALUES = {
    "pk": [1],
    "id": [1],
    "object_id": [1],
    "content_type_id": [1],
    "format": ["json", ".json"],
    "app_label": ["audit"],
    "url": ["nowhere"],
    "aggregate": ["product"],
    "subject": ["1"],
    "correlation_id": ["r1"],
}


def test_nothing_is_open_to_strangers_but_what_is_listed_here():
    assert open_to_anybody(VALUES) == {route: one.methods for route, one in OPEN.items()}
