from eventbus.capture import publish_model

CATALOGUE, STOCK, ORDERS = "shop.catalogue", "shop.stock", "shop.orders"

product = ["structure", "upc", "parent", "title", "slug", "product_class", "is_public"]
publish_model("catalogue.Product", event="product", topic=CATALOGUE, fields=product)

category = ["name", "slug", "is_public"]
publish_model("catalogue.Category", event="category", topic=CATALOGUE, fields=category)

shelved = ["product", "category"]
publish_model("catalogue.ProductCategory", event="shelved", topic=CATALOGUE, fields=shelved)

stock = ["product", "partner_sku", "price", "num_in_stock", "num_allocated"]
publish_model("partner.StockRecord", event="stock", topic=STOCK, fields=stock)

order = ["number", "user", "total_incl_tax", "status"]
publish_model("order.Order", event="order", topic=ORDERS, fields=order)

line = ["order", "product", "quantity", "line_price_incl_tax", "status"]
publish_model("order.Line", event="order_line", topic=ORDERS, fields=line)
