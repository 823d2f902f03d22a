"""Splits the shared notifications: each reader gets a copy of their own, and a subscription."""

from django.db import migrations
from django.db.models import Q

READ = "view_notification"
AT_ONCE = 1_000


def give_to_readers(apps, schema_editor):
    Notification = apps.get_model("notifications", "Notification")
    Subscription = apps.get_model("notifications", "Subscription")
    User = apps.get_model("auth", "User")
    if not Notification.objects.exists():
        return
    may_read = Q(is_superuser=True) | Q(user_permissions__codename=READ)
    may_read |= Q(groups__permissions__codename=READ)
    readers = list(User.objects.filter(may_read, is_active=True).distinct())
    Subscription.objects.bulk_create(Subscription(owner=reader) for reader in readers)
    shared = Notification.objects.filter(user=None).order_by("pk")
    # Without readers, there is nobody to keep them for.
    while rows := list(shared[:AT_ONCE]):
        copies = [copy_for(Notification, row, reader) for row in rows for reader in readers]
        times = [copy.created_at for copy in copies]
        Notification.objects.bulk_create(copies, batch_size=AT_ONCE)
        for copy, time in zip(copies, times):
            copy.created_at = time  # bulk_create() has set the current time
        Notification.objects.bulk_update(copies, ["created_at"], batch_size=AT_ONCE)
        Notification.objects.filter(pk__in=[row.pk for row in rows]).delete()


def copy_for(Notification, row, reader):
    return Notification(
        user=reader,
        kind=row.kind,
        event_id=row.event_id,
        product_id=row.product_id,
        text=row.text,
        created_at=row.created_at,
        read_at=row.read_at,
    )


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_subscriptions"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(give_to_readers, migrations.RunPython.noop)]
