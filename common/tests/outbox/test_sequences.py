"""The last sequence of a subject is stored with its last event, and never decreases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.contracts.product import ProductDeleted
from common.tests.conftest import product
from eventbus import outbox
from eventbus.outbox.models import LastSequence, OutboxEvent
from eventbus.outbox.relaying.pruning import outbox_pruner
from eventbus.outbox.sequences import last_sequences

pytestmark = pytest.mark.django_db


def deleted(product_id: int, version: int) -> ProductDeleted:
    now = datetime.now(UTC)
    return ProductDeleted(
        id=product_id,
        sku="S",
        name="Kettle",
        description="",
        category=None,
        price=Decimal("5.00"),
        currency="EUR",
        stock=1,
        is_active=True,
        version=version,
        created_at=now,
        updated_at=now,
    )


def prune() -> None:
    OutboxEvent.objects.update(published_at=timezone.now() - timedelta(days=400))
    outbox_pruner().prune()


def test_only_what_ended_is_known_after_pruning() -> None:
    outbox.publish_all([product(1, 4), product(2, 5), deleted(2, 5)])
    assert last_sequences("product", ["1", "2", "3"]) == {"1": 4, "2": 6}
    prune()
    assert last_sequences("product", ["1", "2", "3"]) == {"2": 6}
    assert last_sequences("order", ["2"]) == last_sequences("product", []) == {}


def test_it_never_decreases() -> None:
    outbox.publish_all([deleted(1, 9), deleted(2, 1)])
    outbox.publish_all([deleted(1, 3), deleted(2, 3)])
    prune()
    assert last_sequences("product", ["1", "2"]) == {"1": 10, "2": 4}


def test_the_same_subject_may_end_twice_in_one_call() -> None:
    outbox.publish_all([deleted(1, 3), product(1, 5), deleted(1, 5)])
    assert LastSequence.objects.get().sequence == 6


def test_a_rollback_forgets_it() -> None:
    with transaction.atomic():
        outbox.publish(deleted(1, 9))
        transaction.set_rollback(True)
    assert last_sequences("product", ["1"]) == {}


def test_the_number_of_queries_does_not_grow() -> None:
    def queries(number: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            outbox.publish_all(deleted(key, 1) for key in range(number))
            last_sequences("product", [str(key) for key in range(number)])
        return len(captured)

    assert queries(2) == queries(70)
    assert LastSequence.objects.count() == 70
