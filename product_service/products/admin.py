from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from product_service.products.models import Category, Product


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug"]
    search_fields = ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Category | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
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
