"""Parked events get lines: one row a key, which says when its first event is tried again."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inbox", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ParkedKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("consumer", models.CharField(help_text="The consumer group.", max_length=255)),
                ("topic", models.CharField(max_length=249)),
                ("key", models.CharField(blank=True, help_text="Later events of this key wait; empty holds none.", max_length=255)),
                ("state", models.CharField(choices=[("retrying", "will be tried again"), ("dead", "waits for a person"), ("clear", "nothing waits")], max_length=10)),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("state", "clear"), _negated=True), fields=["consumer", "next_try_at"], name="inbox_parked_keys_waiting")
                ],
                "constraints": [
                    models.UniqueConstraint(condition=models.Q(("key", ""), _negated=True), fields=("consumer", "topic", "key"), name="inbox_one_line_a_key")
                ],
            },
        ),
        migrations.AddField(
            model_name="parkedevent",
            name="parked_key",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="events", to="inbox.parkedkey"),
        ),
        migrations.AddField(
            model_name="parkedevent",
            name="handler",
            field=models.CharField(blank=True, help_text="The handler that failed.", max_length=255),
        ),
    ]
