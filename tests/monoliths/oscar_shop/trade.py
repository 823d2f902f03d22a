"""Staff and a customer work in oscar's own pages; after each, events and tables are compared."""

from books import Watch, post
from django.contrib.auth.models import User
from django.test import Client
from oscar.apps.catalogue.models import Category, Product, ProductClass
from oscar.apps.order.models import Order
from oscar.apps.partner.models import Partner

watch = Watch()


def formset(prefix: str, *forms: dict[str, object]) -> dict[str, object]:
    """What a formset of new rows posts."""
    data: dict[str, object] = {
        f"{prefix}-TOTAL_FORMS": len(forms),
        f"{prefix}-INITIAL_FORMS": sum("id" in form for form in forms),
    }
    for number, form in enumerate(forms):
        data.update({f"{prefix}-{number}-{name}": value for name, value in form.items()})
    return data


staff = Client(headers={"host": "localhost"})
staff.force_login(User.objects.create_superuser("ann", "ann@example.com"))
ProductClass.objects.create(name="Download", requires_shipping=False)
partner = Partner.objects.create(name="Bookshop")


def sold(title: str, **stock: object) -> dict[str, object]:
    """The dashboard's form of a book."""
    return {
        "title": title,
        "upc": f"{title}-1",
        "structure": "standalone",
        "is_public": "on",
        "priority": 0,
        "order": 0,
        **formset("productcategory_set", {"category": shelf.pk}),
        **formset("images"),
        **formset("primary_recommendations"),
        **formset("stockrecords", {"partner": partner.pk, "price_currency": "GBP", **stock}),
        "action": "save",
    }


for shelf_name in ("Books", "Maps"):
    post(
        staff,
        "/dashboard/catalogue/categories/create/",
        {
            "name": shelf_name,
            "slug": shelf_name.lower(),
            "is_public": "on",
            "treebeard_position": "first-child",
        },
    )
    watch.page(f"category {shelf_name}")
shelf = Category.objects.get(name="Books")

post(
    staff,
    "/dashboard/catalogue/products/create/download/",
    sold("Walden", partner_sku="W1", price="12.00", num_in_stock=9),
)
watch.page("new product")
book = Product.objects.get()
stock = book.stockrecords.get()
product_category = book.productcategory_set.get()
edited = sold("Walden", partner_sku="W1", price="14.50", num_in_stock=8)
edited |= formset("productcategory_set", {"category": shelf.pk, "id": product_category.pk})
edited |= formset(
    "stockrecords",
    {
        "id": stock.pk,
        "partner": partner.pk,
        "price_currency": "GBP",
        "partner_sku": "W1",
        "price": "14.50",
        "num_in_stock": 8,
    },
)
post(staff, f"/dashboard/catalogue/products/{book.pk}/", edited)
watch.page("edited product")
post(staff, f"/dashboard/catalogue/products/{book.pk}/", edited)
watch.page("edited without a change")

customer = Client(headers={"host": "localhost"})
customer.force_login(User.objects.create_user("eve", "eve@example.com"))
customer.post(f"/basket/add/{book.pk}/", {"quantity": 2})
customer.get("/checkout/shipping-method/")
answer = customer.post("/checkout/preview/", {"action": "place_order"}, follow=True)
assert answer.redirect_chain == [("/checkout/thank-you/", 302)], answer.content.decode()
watch.page("checkout")

order = Order.objects.get()
post(
    staff,
    f"/dashboard/orders/{order.number}/",
    {"order_action": "change_order_status", "new_status": "paid"},
)
watch.page("paid")
post(staff, f"/dashboard/catalogue/products/{book.pk}/delete/", {})
watch.page("deleted product")
post(staff, f"/dashboard/catalogue/categories/{shelf.pk}/delete/", {})
watch.page("deleted category")
