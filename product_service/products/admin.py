import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator

from eventbus.outbox.models import OutboxEvent
from product_service.products.exchange.admin import ProductExchange
from product_service.products.models import Category, Product

EVENTS_SHOWN = 100
ROW_ID = re.compile(r"form-\d+-id")
LONGEST_KEY = 19


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Category | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}


class PriceChange(forms.Form):
    """Asks for the percentage by which to change prices."""

    percent = forms.DecimalField(
        min_value=-100,
        max_value=1_000,
        decimal_places=2,
        help_text="For example, 10 changes 20.00 to 22.00. Prices are rounded to cents.",
    )

    def change(self, products: QuerySet[Product]) -> int:
        factor = 1 + self.cleaned_data["percent"] / Decimal(100)
        return products.update(price=F("price") * factor)


class NewStock(forms.Form):
    """Asks for the new stock."""

    stock = forms.IntegerField(min_value=0, max_value=2**31 - 1)

    def change(self, products: QuerySet[Product]) -> int:
        return products.update(stock=self.cleaned_data["stock"])


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    """A product, with the version that the user has seen."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Product
        exclude: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen_version"] = self.instance.version

    def clean_seen_version(self) -> int | None:
        seen: int | None = self.cleaned_data["seen_version"]
        if seen is not None and seen != self.instance.version:
            raise forms.ValidationError(STALE)
        return seen


class RowForm(forms.ModelForm):  # type: ignore[type-arg]
    """A row of the list. Sends the values that the user has seen, and writes only changed ones.

    So it does not overwrite other users' changes. If both changed the same field, it is rejected.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True
            if isinstance(field.widget, forms.NumberInput):
                field.widget.attrs["class"] = (
                    "vIntegerField"  # as narrow as in the admin's own forms
                )

    def clean(self) -> None:
        for name in self._meta.fields or ():
            stored = getattr(self.instance, name)
            if name not in self.changed_data:
                self.cleaned_data[name] = stored
            elif stored != self._seen(name):
                self.add_error(name, f"Someone else has changed this to {stored}. Reload the list.")

    def _seen(self, name: str) -> Any:
        field, bound = self.fields[name], self[name]
        hidden = field.hidden_widget()
        sent = self._widget_data_value(hidden, bound.html_initial_name)  # type: ignore[attr-defined]
        return field.to_python(sent)


STALE = (
    "Someone else has changed this product since you opened it. Copy what you have entered, "
    "then reload the page and apply your changes again."
)


@admin.register(Product)
class ProductAdmin(ProductExchange, admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProductForm
    list_display = [
        "name",
        "sku",
        "category",
        "price",
        "currency",
        "stock",
        "is_active",
        "updated_at",
    ]
    list_editable = ["price", "stock", "is_active"]
    list_filter = ["is_active", "category", "currency"]
    list_select_related = ["category"]
    search_fields = ["name", "sku", "description"]
    autocomplete_fields = ["category"]
    readonly_fields = ["version", "created_at", "updated_at"]
    date_hierarchy = "created_at"
    list_per_page = 50
    actions = ["activate", "deactivate", "change_prices", "set_stock"]

    @admin.action(description="Activate selected products", permissions=["change"])
    def activate(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        self._say(request, products.update(is_active=True))

    @admin.action(description="Deactivate selected products", permissions=["change"])
    def deactivate(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        self._say(request, products.update(is_active=False))

    @admin.action(description="Change prices by percent…", permissions=["change"])
    def change_prices(
        self, request: HttpRequest, products: QuerySet[Product]
    ) -> HttpResponse | None:
        return self._ask(request, products, PriceChange, "Change prices by percent")

    @admin.action(description="Set stock…", permissions=["change"])
    def set_stock(self, request: HttpRequest, products: QuerySet[Product]) -> HttpResponse | None:
        return self._ask(request, products, NewStock, "Set stock")

    def get_changelist_form(
        self, request: HttpRequest, **kwargs: Any
    ) -> "type[forms.ModelForm[Product]]":
        return super().get_changelist_form(request, **{"form": RowForm, **kwargs})

    @method_decorator(transaction.atomic)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lock the rows while the list is saved."""
        if request.method == "POST" and "_save" in request.POST:
            sent = (request.POST[name] for name in request.POST if ROW_ID.fullmatch(name))
            keys = [key for key in sent if key.isdecimal() and len(key) < LONGEST_KEY]
            list(Product.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
        return super().changelist_view(request, extra_context)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Product | None:
        """Return the product. On a POST, it is locked until the transaction ends."""
        product: Product | None = super().get_object(request, object_id, from_field)
        if product and request.method == "POST" and transaction.get_connection().in_atomic_block:
            return Product.objects.select_for_update().filter(pk=product.pk).first()
        return product

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's history, and the events of the product with their state."""
        published = OutboxEvent.objects.filter(aggregatetype="product", aggregateid=object_id)
        events = published.order_by("-position")[:EVENTS_SHOWN]
        return super().history_view(request, object_id, {**(extra_context or {}), "events": events})

    def _ask(
        self,
        request: HttpRequest,
        products: QuerySet[Product],
        make_form: Callable[..., PriceChange | NewStock],
        title: str,
    ) -> HttpResponse | None:
        """Ask for the value on a page of its own, then change all products at once."""
        form = make_form(request.POST if "answered" in request.POST else None)
        if form.is_bound and form.is_valid():
            self._say(request, form.change(products))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "products": products,
            "number": products.count(),
            "all_found": request.POST.get("select_across") == "1",
            "action": request.POST["action"],
        }
        return TemplateResponse(request, "admin/products/product/change_many.html", context)

    def _say(self, request: HttpRequest, number: int) -> None:
        counted = "1 product" if number == 1 else f"{number:,} products"
        self.message_user(request, f"{counted} changed.", messages.SUCCESS)
