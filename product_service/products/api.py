"""The REST API of products and categories."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import APIException
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.permissions import SAFE_METHODS, DjangoModelPermissionsOrAnonReadOnly
from rest_framework.response import Response

from common.api.preconditions import is_known, refuse_stale
from product_service.products.models import Category, Product


class HasProducts(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The category has products. Move or delete them first."


class CategorySerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ["id", "name", "slug"]

    def validate_slug(self, slug: str) -> str:
        if self.instance and slug != self.instance.slug:
            raise serializers.ValidationError("The slug of a category cannot be changed.")
        return slug


class ProductSerializer(serializers.ModelSerializer):
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


class ProductFilter(filters.FilterSet):
    category = filters.CharFilter(field_name="category__slug")
    price_min = filters.NumberFilter(field_name="price", lookup_expr="gte")
    price_max = filters.NumberFilter(field_name="price", lookup_expr="lte")
    in_stock = filters.BooleanFilter(field_name="stock", lookup_expr="gt", method="filter_in_stock")

    class Meta:
        model = Product
        fields = ["sku", "currency", "is_active"]

    def filter_in_stock(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        return queryset.filter(stock__gt=0) if value else queryset.filter(stock=0)


class WritingViewSet(viewsets.ModelViewSet):
    """Reading is open; writing needs a login with the model's permission."""

    permission_classes = [DjangoModelPermissionsOrAnonReadOnly]
    filter_backends = [filters.DjangoFilterBackend, SearchFilter, OrderingFilter]

    def get_queryset(self) -> QuerySet:
        """Rows that are about to be written are locked, so that no edit undoes another."""
        queryset = super().get_queryset()
        if self.request.method in SAFE_METHODS or self.request.method == "POST":
            return queryset
        return queryset.select_for_update(of=["self"])

    @transaction.atomic
    def update(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().destroy(request, *args, **kwargs)

    def perform_create(self, serializer: serializers.BaseSerializer) -> None:
        """A duplicate that came in between check and insert is the client's error too."""
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError:
            self.get_serializer(data=serializer.initial_data).is_valid(raise_exception=True)
            raise


class CategoryViewSet(WritingViewSet):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    search_fields = ["name", "slug"]
    ordering_fields = ["name", "id"]

    def perform_destroy(self, instance: Category) -> None:
        if instance.products.exists():
            raise HasProducts
        instance.delete()


class ProductViewSet(WritingViewSet):
    """Products. Their ETag is their version; ``If-Match`` keeps one edit from undoing another."""

    queryset = Product.objects.select_related("category")
    serializer_class = ProductSerializer
    filterset_class = ProductFilter
    search_fields = ["name", "sku", "description"]
    ordering_fields = ["id", "name", "sku", "price", "stock", "created_at", "updated_at"]

    def get_object(self) -> Product:
        product: Product = super().get_object()
        if self.request.method not in SAFE_METHODS:
            refuse_stale(self.request, etag(product))
        return product

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        product = self.get_object()
        if is_known(request, etag(product)):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag(product)})
        return Response(self.get_serializer(product).data)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        """One product is answered with its ETag."""
        data = getattr(response, "data", None)
        if response.status_code < 300 and isinstance(data, dict) and "version" in data:
            response["ETag"] = f'"{data["version"]}"'
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        return answer


def etag(product: Product) -> str:
    """The strong entity tag of a product: each change of it grows its version."""
    return f'"{product.version}"'
