from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "product_service.products"

    def ready(self) -> None:
        from product_service.products import signals  # noqa: F401  connects the receivers
