"""Which changes of products are events."""

from common.contracts.product import TOPIC
from eventbus.capture import field, publish_model

ProductEvents = publish_model(
    "products.Product",
    event="product",
    topic=TOPIC,
    key="id",
    fields=[
        "id",
        "sku",
        "name",
        "description",
        field("category.slug", name="category", unchanging=True),
        "price",
        "currency",
        "stock",
        "is_active",
        "version",
        "created_at",
        "updated_at",
    ],
    sequence="version",
    touched="updated_at",
    connect=False,
)
