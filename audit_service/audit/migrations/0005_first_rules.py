"""Adds initial rules, and the actors that the record knows already."""

from django.db import migrations
from django.db.models import Min

RULES = [
    {"name": "Many deletions", "kind": "deletions", "threshold": 10, "window_minutes": 10},
    {"name": "Price changed a lot", "kind": "change", "threshold": 50, "field": "price"},
    {"name": "Somebody new", "kind": "new_actor"},
    {
        "name": "Outside hours",
        "kind": "hours",
        "from_hour": 7,
        "until_hour": 20,
        "window_minutes": 60,
        "is_active": False,
    },
]


def add(apps, schema_editor):
    rule = apps.get_model("audit", "Rule")
    rule.objects.bulk_create(rule(**values) for values in RULES)
    entries = apps.get_model("audit", "AuditEntry").objects.exclude(actor="")
    actor = apps.get_model("audit", "KnownActor")
    seen = entries.order_by().values_list("actor").annotate(first=Min("recorded_at"))
    actor.objects.bulk_create(actor(name=name, first_seen=first) for name, first in seen)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_alerts")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
