"""Parked events that are there already get their lines, and are tried at once."""

from django.db import migrations
from django.utils import timezone


def make_lines(apps, schema_editor):
    parked_events = apps.get_model("inbox", "ParkedEvent").objects
    parked_keys = apps.get_model("inbox", "ParkedKey").objects
    lines = {}
    for event in parked_events.order_by("id").iterator():
        address = (event.consumer, event.topic, event.held_key)
        line = lines.get(address)
        if line is None:
            consumer, topic, key = address
            line = parked_keys.create(consumer=consumer, topic=topic, key=key, state="clear")
        if event.held_key:
            lines[address] = line
        if event.state != "handled" and line.state == "clear":
            line.state, line.next_try_at = "retrying", timezone.now()
            line.save()
        event.parked_key = line
        event.save(update_fields=["parked_key"])


class Migration(migrations.Migration):
    dependencies = [("inbox", "0002_parked_keys")]

    operations = [migrations.RunPython(make_lines, migrations.RunPython.noop)]
