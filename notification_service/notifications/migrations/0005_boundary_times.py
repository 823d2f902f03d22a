"""Replaces times of events that cannot be read by their time of arrival, taken from the UUIDv7."""

from datetime import UTC, datetime, timedelta

from django.db import migrations
from django.db.models import Q

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 1_000


def replace_times(apps, schema_editor):
    events = apps.get_model("notifications", "ProductEvent").objects
    odd = events.filter(Q(at__lt=EARLIEST) | Q(at__gte=LATEST)).order_by("pk")
    # Only the ids: psycopg cannot read the times.
    while ids := list(odd.values_list("pk", flat=True)[:AT_ONCE]):
        for pk in ids:
            events.filter(pk=pk).update(at=written_at(pk))


def written_at(pk):
    """The first 48 bits of a UUIDv7 (RFC 9562, section 5.7): milliseconds since 1970."""
    if pk.version != 7:
        return datetime.now(UTC)
    return EPOCH + timedelta(milliseconds=pk.int >> 80)


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_own_inboxes")]
    operations = [migrations.RunPython(replace_times, migrations.RunPython.noop)]
