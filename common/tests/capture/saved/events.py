"""What is published of the models of these tests, by Django's ORM."""

from eventbus.capture import field, publish_model, through

TOPIC = "saved.events"
SLUG = field("shelf.slug", name="shelf", unchanging=True)

Wares = publish_model(
    "saved.Ware",
    event="ware",
    topic=TOPIC,
    fields=["sku", "name", "price", "amount", "shelf", "extra"],
)
WareLabels = publish_model(through("saved.Ware.labels"), event="ware_label", topic=TOPIC)
Counteds = publish_model(
    "saved.Counted",
    event="counted",
    topic=TOPIC,
    fields=["id", "sku", "name", "price", "amount", SLUG, "version", "changed_at"],
    sequence="version",
    touched="changed_at",
)
Remarks = publish_model(
    "saved.Remark", event="remark", topic=TOPIC, fields=["about", "object_id", "text"]
)
Countries = publish_model("saved.Country", event="country", topic=TOPIC, fields=["name"])
Members = publish_model(
    "saved.Member", event="member", topic=TOPIC, fields=["name", "country", "born_in"], key="number"
)
Places = publish_model("saved.Place", event="place", topic=TOPIC, fields=["name", "city"])
Restaurants = publish_model("saved.Restaurant", event="restaurant", topic=TOPIC, fields=["stars"])
