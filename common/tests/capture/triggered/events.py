"""What is published of the models of these tests, by triggers."""

from common.tests.capture.triggered.contracts import TOPIC
from common.tests.capture.triggered.models import IS_POSTGRESQL
from eventbus.capture import field, publish_model, through

SLUG = field("shelf.slug", name="shelf", unchanging=True)

Items = publish_model(
    "triggered.Item",
    event="item",
    topic=TOPIC,
    fields=["id", "sku", "name", "price", "amount", SLUG, "version", "changed_at"],
    sequence="version",
    touched="changed_at",
    capture="trigger",
)
Pieces = publish_model(
    "triggered.Piece",
    event="piece",
    topic=TOPIC,
    fields=["sku", "name", "price", "amount", SLUG],
    capture="trigger",
)
Things = publish_model(
    "triggered.Thing",
    event="thing",
    topic=TOPIC,
    fields=[
        "code",
        "text",
        "count",
        "flag",
        "price",
        "ratio",
        "day",
        "moment",
        "hour",
        "length",
        "other",
        "extra",
        "raw",
        "address",
        "picture",
        "about",
        "shelf",
        field("shelf.slug", name="slug", unchanging=True),
    ],
    key="code",
    capture="trigger",
)
ItemTags = publish_model(
    through("triggered.Item.tags"), event="item_tag", topic=TOPIC, capture="trigger"
)
Lines = publish_model(
    "triggered.Line", event="line", topic=TOPIC, fields=["item", "quoted"], capture="trigger"
)
if IS_POSTGRESQL:
    Grids = publish_model(
        "triggered.Grid",
        event="grid",
        topic=TOPIC,
        fields=["numbers", "names", "prices"],
        capture="trigger",
    )
