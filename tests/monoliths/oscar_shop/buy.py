"""Buy two books through oscar's own pages, and print the order's number."""

import sys
from decimal import Decimal

from django.contrib.auth.models import User
from django.test import Client
from oscar.apps.catalogue.models import ProductClass
from oscar.apps.order.models import Order
from oscar.test.factories import create_product

download = ProductClass.objects.create(name="Download", requires_shipping=False)
book = create_product(price=Decimal("12.00"), num_in_stock=9, product_class=download.name)
customer = Client(headers={"host": "localhost"})
customer.force_login(User.objects.create_user("eve", "eve@example.com"))
customer.post(f"/basket/add/{book.pk}/", {"quantity": 2})
customer.get("/checkout/shipping-method/")
answer = customer.post("/checkout/preview/", {"action": "place_order"}, follow=True)
assert answer.redirect_chain == [("/checkout/thank-you/", 302)], answer.content.decode()
assert answer.status_code == 200
sys.stdout.write(f"order: {Order.objects.get().number}\n")
