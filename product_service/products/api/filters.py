from django.db.models import QuerySet
from django_filters import rest_framework as filters

from common.servicekit.api.filters import FilterSet
from product_service.products.models import Product


class ProductFilter(FilterSet):
    category = filters.CharFilter(field_name="category__slug", help_text="The slug of a category.")
    price_min = filters.NumberFilter(field_name="price", lookup_expr="gte")
    price_max = filters.NumberFilter(field_name="price", lookup_expr="lte")
    stock_min = filters.NumberFilter(field_name="stock", lookup_expr="gte")
    stock_max = filters.NumberFilter(field_name="stock", lookup_expr="lte")
    in_stock = filters.BooleanFilter(field_name="stock", method="filter_in_stock")
    updated_since = filters.IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")

    class Meta:
        model = Product
        fields = ["sku", "currency", "is_active"]

    def filter_in_stock(
        self, queryset: QuerySet[Product], name: str, value: bool
    ) -> QuerySet[Product]:
        return queryset.filter(stock__gt=0) if value else queryset.filter(stock=0)
