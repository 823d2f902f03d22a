from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.permissions import (
    SAFE_METHODS,
    AllowAny,
    DjangoModelPermissionsOrAnonReadOnly,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import APIRootView

from common.servicekit.api.filters import FilterBackend
from common.servicekit.api.pagination import KeysetPagination
from common.servicekit.api.parsers import BoundedJSONParser
from common.servicekit.api.preconditions import is_known, refuse_stale
from common.servicekit.idempotency.answers import once
from product_service.products.api.bulk import (
    BulkChange,
    BulkPermission,
    BulkResultSerializer,
    BulkSerializer,
    refuse_what_is_not_permitted,
)
from product_service.products.api.filters import ProductFilter
from product_service.products.api.serializers import CategorySerializer, ProductSerializer
from product_service.products.models import Category, Product

Row = TypeVar("Row", bound=Model)

FIELDS = OpenApiParameter("fields", str, description="Fields to return, such as `id,sku`.")
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A key of your choice. A repeated request with it returns the first response.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="ETag of the version to change. If it has changed, nothing is written.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="ETag of the version that you have. If it is current, the response is 304.",
)


class HasProducts(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "has_products"
    default_detail = "The category has products. Move or delete them first."


class ApiRoot(APIRootView):
    """The available lists. Reading is open to everybody."""

    permission_classes = [AllowAny]


class WritingViewSet(viewsets.ModelViewSet[Row]):
    """Reading is open to everybody; writing requires a login with the model's permission."""

    permission_classes = [DjangoModelPermissionsOrAnonReadOnly]
    filter_backends = [FilterBackend, SearchFilter, OrderingFilter]
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Row]:
        """Lock rows that are about to be written, so that concurrent edits are not lost.

        OPTIONS asks for them like PUT, but writes nothing, and runs outside a transaction.
        """
        queryset = super().get_queryset()
        is_writing = self.request.method not in (*SAFE_METHODS, "POST")
        if is_writing and transaction.get_connection().in_atomic_block:
            return queryset.select_for_update(of=["self"])
        return queryset

    @extend_schema(parameters=[FIELDS])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(parameters=[FIELDS])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(parameters=[IDEMPOTENCY_KEY])
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        create = super().create
        return once(request, lambda: create(request, *args, **kwargs))

    @transaction.atomic
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    def perform_create(self, serializer: serializers.BaseSerializer[Row]) -> None:
        """Report a duplicate as a client error, even if it was inserted after validation."""
        try:
            with transaction.atomic():
                serializer.save()
        except IntegrityError:
            self.get_serializer(data=serializer.initial_data).is_valid(raise_exception=True)
            raise


class CategoryViewSet(WritingViewSet[Category]):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    search_fields = ["name", "slug"]
    ordering_fields = ["name", "id"]

    def perform_destroy(self, instance: Category) -> None:
        if instance.products.exists():
            raise HasProducts
        instance.delete()


class ProductViewSet(WritingViewSet[Product]):
    """Products. The ETag is the version; send it as If-Match to avoid overwriting other changes."""

    queryset = Product.objects.select_related("category")
    serializer_class = ProductSerializer
    filterset_class = ProductFilter
    search_fields = ["name", "sku", "description"]
    ordering_fields = ["id", "name", "sku", "price", "stock", "created_at", "updated_at"]

    def get_object(self) -> Product:
        product: Product = super().get_object()
        if self.request.method not in SAFE_METHODS:
            refuse_stale(self.request, etag(product.version))
        return product

    @extend_schema(
        parameters=[FIELDS, IF_NONE_MATCH], responses={200: ProductSerializer, 304: None}
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        product = self.get_object()
        tag = etag(product.version)
        if is_known(request, tag):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag})
        return Response(self.get_serializer(product).data, headers={"ETag": tag})

    @extend_schema(parameters=[IDEMPOTENCY_KEY])
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return with_etag(super().create(request, *args, **kwargs))

    @extend_schema(parameters=[IF_MATCH])
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return with_etag(super().update(request, *args, **kwargs))

    @extend_schema(parameters=[IF_MATCH])
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().partial_update(request, *args, **kwargs)

    @extend_schema(parameters=[IF_MATCH])
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=BulkSerializer,
        responses=BulkResultSerializer,
        filters=False,
    )
    @action(
        detail=False,
        methods=["post"],
        pagination_class=None,
        serializer_class=BulkSerializer,
        parser_classes=[BoundedJSONParser],
        permission_classes=[BulkPermission],
    )
    def bulk(self, request: Request, format: str | None = None) -> Response:
        """Create, update and delete up to 1,000 products in one transaction: all or nothing.

        Deletions are applied first, then updates, then creations. An update has an `id` and the
        fields to change. If it has a `version` that is not the current one, the whole request
        fails. Creating, updating and deleting each require their own permission.
        """
        refuse_what_is_not_permitted(request)
        return once(request, lambda: Response(BulkChange(request).carry_out()))


def etag(version: int) -> str:
    """The strong entity tag of a product. Each change increments its version."""
    return f'"{version}"'


def with_etag(response: Response) -> Response:
    response["ETag"] = etag(response.data["version"])
    return response
