"""Replaces times of alerts that cannot be read by the time at which the alert was raised."""

from datetime import UTC, datetime

from django.db import migrations
from django.db.models import F, Q

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


def replace_times(apps, schema_editor):
    alerts = apps.get_model("audit", "Alert").objects
    alerts.filter(Q(at__lt=EARLIEST) | Q(at__gte=LATEST)).update(at=F("raised_at"))


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_first_rules")]
    operations = [migrations.RunPython(replace_times, migrations.RunPython.noop)]
