from django.apps import AppConfig
from django.db.models.signals import post_save


class WarehouseConfig(AppConfig):
    name = "warehouse"

    def ready(self) -> None:
        from oscar.apps.order.models import Order

        from warehouse.publishing import publish_order

        post_save.connect(publish_order, sender=Order)
