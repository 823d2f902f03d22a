"""Prepare a service of the demo: tables, two users, and sample data."""

import os
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from django.contrib.auth.models import Permission
    from django.db.models import QuerySet

OUR_APPS = ["products", "notifications", "audit", "eventbus_outbox", "eventbus_inbox"]
PRODUCTS = [
    ("kitchen", "KET-01", "Steel kettle", "39.90", 24),
    ("kitchen", "PAN-24", "Cast-iron pan, 24 cm", "54.00", 12),
    ("kitchen", "PAN-28", "Cast-iron pan, 28 cm", "64.00", 9),
    ("kitchen", "KNI-20", "Chef's knife, 20 cm", "79.50", 15),
    ("kitchen", "BRD-01", "Oak cutting board", "28.00", 40),
    ("kitchen", "MIL-01", "Pepper mill", "22.50", 31),
    ("kitchen", "SCA-05", "Kitchen scale, 5 kg", "19.95", 0),
    ("garden", "SEC-01", "Secateurs", "34.90", 18),
    ("garden", "CAN-10", "Watering can, 10 l", "17.90", 26),
    ("garden", "GLO-M", "Garden gloves, medium", "9.90", 60),
    ("garden", "POT-20", "Clay pot, 20 cm", "7.50", 120),
    ("garden", "HOS-25", "Garden hose, 25 m", "45.00", 7),
    ("garden", "RAK-01", "Leaf rake", "21.00", 14),
    ("office", "LMP-01", "Desk lamp", "59.00", 11),
    ("office", "NTB-A5", "Notebook, A5, dotted", "12.50", 200),
    ("office", "PEN-BK", "Fountain pen, black", "32.00", 16),
    ("office", "CHR-01", "Desk chair", "289.00", 5),
    ("office", "TRY-03", "Letter tray, set of 3", "24.00", 0),
    ("office", "CLK-01", "Wall clock", "36.00", 13),
    ("office", "STD-15", "Laptop stand", "49.90", 22),
]


def main() -> None:
    django.setup()
    from django.apps import apps
    from django.contrib.auth.models import Group, Permission, User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@example.com", "admin")
    viewers, _ = Group.objects.get_or_create(name="viewers")
    ours = Permission.objects.filter(content_type__app_label__in=OUR_APPS)
    viewers.permissions.set(ours.filter(codename__startswith="view_"))
    if not User.objects.filter(username="viewer").exists():
        viewer = User.objects.create_user("viewer", password="viewer", is_staff=True)
        viewer.groups.add(viewers)
    watch_health(ours)
    if apps.is_installed("product_service.products"):
        seed_products()
    if apps.is_installed("notification_service.notifications"):
        follow_products()


def watch_health(permissions: "QuerySet[Permission]") -> None:
    """A user with only a token, who may see the details of /readyz."""
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    known = User.objects.filter(username="health").first()
    watcher = known or User.objects.create_user("health")
    watcher.user_permissions.set(
        permissions.filter(codename__in=["view_workerstate", "view_outboxevent"])
    )
    Token.objects.filter(user=watcher).delete()
    Token.objects.create(user=watcher, key=os.environ["DEMO_HEALTH_TOKEN"])


def seed_products() -> None:
    from product_service.products.models import Category, Product

    if Product.objects.exists():
        return
    for slug in ("kitchen", "garden", "office"):
        Category.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})
    shelves = {category.slug: category for category in Category.objects.all()}
    for shelf, sku, name, price, stock in PRODUCTS:
        Product.objects.create(
            category=shelves[shelf], sku=sku, name=name, price=price, stock=stock
        )


def follow_products() -> None:
    """Subscribe both users to everything; admin also gets mails and webhooks."""
    from django.contrib.auth.models import User

    from notification_service.notifications.models import Endpoint, Subscription

    if Subscription.objects.exists():
        return
    for user in User.objects.filter(username__in=["admin", "viewer"]):
        Subscription.objects.create(owner=user)
    admin = User.objects.get(username="admin")
    Subscription.objects.create(owner=admin, channel="email", condition="price_dropped")
    endpoint = Endpoint.objects.create(
        owner=admin,
        name="Another application",
        url=f"http://localhost:{os.environ['RECEIVER_PORT']}/webhooks",
        secret=os.environ["DEMO_WEBHOOK_SECRET"],
    )
    Subscription.objects.create(owner=admin, channel="webhook", endpoint=endpoint)


if __name__ == "__main__":
    main()
