"""Renames the channel of in-app notifications: "inbox" is the table of received events."""

from django.db import migrations, models

CHANNELS = [("in_app", "in-app"), ("email", "e-mail"), ("webhook", "webhook")]
OLD = ("inbox", "in the inbox")
NEW = ("in_app", "in the application")


def rename(apps, old, new):
    """Rename the channel, and the answer that was stored for its deliveries."""
    (old_channel, old_answer), (new_channel, new_answer) = old, new
    deliveries = apps.get_model("notifications", "Delivery").objects
    deliveries.filter(channel=old_channel, answer=old_answer).update(answer=new_answer)
    deliveries.filter(channel=old_channel).update(channel=new_channel)
    subscriptions = apps.get_model("notifications", "Subscription").objects
    subscriptions.filter(channel=old_channel).update(channel=new_channel)


def forwards(apps, schema_editor):
    rename(apps, OLD, NEW)


def backwards(apps, schema_editor):
    rename(apps, NEW, OLD)


class Migration(migrations.Migration):
    dependencies = [("notifications", "0005_boundary_times")]
    operations = [
        migrations.AlterField(
            "delivery", "channel", models.CharField(choices=CHANNELS, max_length=10)
        ),
        migrations.AlterField(
            "subscription",
            "channel",
            models.CharField(choices=CHANNELS, default="in_app", max_length=10),
        ),
        migrations.RunPython(forwards, backwards),
    ]
