from rest_framework import serializers

from common.api.selection import SelectableFields
from product_service.products.models import Category, Product


class CategorySerializer(SelectableFields, serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ["id", "name", "slug"]

    def validate_slug(self, slug: str) -> str:
        if self.instance and slug != self.instance.slug:
            raise serializers.ValidationError("The slug of a category cannot be changed.")
        return slug


class ProductSerializer(SelectableFields, serializers.ModelSerializer):
    """The same fields, in the same form, as the data of the product's events."""

    category = serializers.SlugRelatedField(
        slug_field="slug", queryset=Category.objects.all(), allow_null=True, required=False
    )

    class Meta:
        model = Product
        fields = [
            "id",
            "sku",
            "name",
            "description",
            "category",
            "price",
            "currency",
            "stock",
            "is_active",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version", "created_at", "updated_at"]
