"""Publishing products as they are, whatever was published of them before."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from eventbus import outbox
from product_service.products import events
from product_service.products.models import Product
from product_service.products.settling import count_as_changed


def publish_snapshots(
    products: QuerySet[Product], after: int, batch_size: int
) -> Iterator[tuple[int, int]]:
    """Publish a snapshot of each product, in the order of their ids, while others go on writing.

    The rows of a batch are locked until its snapshots are in the outbox. So a snapshot comes
    behind the change that it shows, and before the next one. It counts as a change itself: the
    version of its product grows, so that no reader takes it for something it knows. Where raw SQL
    has set the version back, or has deleted and inserted the row, it goes above all that the
    outbox knows to be published (:func:`eventbus.outbox.sequences.last_sequences`).

    :param products: which; each has one snapshot, as it is when its batch is taken.
    :param after: the id to begin behind; 0 begins at the first.
    :param batch_size: how many products are locked and published in one transaction.
    :returns: after each batch, how many it had and its last id, from which one can go on.
    """
    locking = products.select_for_update(of=["self"])
    using = locking.db
    while True:
        with transaction.atomic(using=using):
            rows = locking.filter(pk__gt=after).order_by("pk").select_related("category")
            batch: list[Product] = list(rows[:batch_size])
            count_as_changed(batch, using)
            snapshots = [events.snapshot(product.event_data()) for product in batch]
            outbox.publish_all(snapshots, using=using)
        if not batch:
            return
        after = batch[-1].pk
        yield len(batch), after
