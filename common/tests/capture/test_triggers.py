"""Triggers publish what the ORM would, whoever writes."""

import pytest

from common.tests.capture.conftest import told
from common.tests.capture.triggered.models import Item

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("triggers")]


def item(sku="A", **fields) -> Item:
    return Item.objects.create(sku=sku, name="Kettle", **fields)


def test_a_life():
    kettle = item(price="5")
    kettle.price = 6
    kettle.save()
    key = str(kettle.pk)
    kettle.delete()
    again = Item.objects.create(pk=int(key), sku="A", name="Again")
    again.refresh_from_db()
    assert told("item") == [
        ("created", key, 1, {}),
        ("updated", key, 2, {"price": "5.00"}),
        ("deleted", key, 3, {}),
        ("created", key, 4, {}),
    ]
    assert again.version == 4
