from typing import Any, TypeVar

from django.db.models import Model
from rest_framework import serializers

from common.servicekit.api.selection import SelectableFields
from product_service.products.fields import NormalCharField, NormalTextField, normal
from product_service.products.models import Category, Product

Row = TypeVar("Row", bound=Model)


class NormalField(serializers.CharField):
    """A text that is normalized before it is validated."""

    def to_internal_value(self, data: Any) -> str:
        return normal(super().to_internal_value(data))


class NormalizingSerializer(SelectableFields, serializers.ModelSerializer[Row]):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        NormalCharField: NormalField,
        NormalTextField: NormalField,
    }


class CategorySerializer(NormalizingSerializer[Category]):
    class Meta:
        model = Category
        fields = ["id", "name", "slug"]

    def validate_slug(self, slug: str) -> str:
        if self.instance and slug != self.instance.slug:
            raise serializers.ValidationError("The slug of a category cannot be changed.")
        return slug


class ProductSerializer(NormalizingSerializer[Product]):
    """A product, with the same fields and formats as the data of its events."""

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
