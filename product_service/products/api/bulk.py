"""Bulk changes of products in one request, with a constant number of queries."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.encoding import smart_str
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.settings import api_settings

from common.servicekit.api.preconditions import PreconditionRequired
from product_service.products.api.serializers import ProductSerializer
from product_service.products.fields import validate_characters
from product_service.products.models import Category, Product

MOST = 1_000
PERMISSIONS = {
    "create": "products.add_product",
    "update": "products.change_product",
    "delete": "products.delete_product",
}

ITSELF = api_settings.NON_FIELD_ERRORS_KEY

is_slug = re.compile(r"[-\w]+").fullmatch


class Wrong(NamedTuple):
    """An item that cannot be processed, and why."""

    place: str
    index: int  # type: ignore[assignment]  # hides tuple.index()
    field: str
    reason: str


class Stale(ValidationError):
    """Some products have changed since the client read them."""

    status_code = status.HTTP_412_PRECONDITION_FAILED


class NotPermitted(ValidationError):
    """The user lacks a permission for some items."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "permission_denied"


class Conflict(APIException):
    """Another request wrote at the same time."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"
    default_detail = "One of these SKUs has just been taken by another request. Try again."


class ProductId(serializers.IntegerField):
    """An id within the range of the column."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=models.BigIntegerField.MAX_BIGINT, **options)


class CategoryOfMany(serializers.SlugRelatedField[Category]):
    """A category by its slug, from those that were read for all items together."""

    def to_internal_value(self, slug: Any) -> Category:
        known: Mapping[str, Category] = self.context["categories"]
        category = known.get(slug) if isinstance(slug, str) else None
        if category is None:
            self.fail("does_not_exist", slug_name=self.slug_field, value=smart_str(slug))
        return category


class NewItemSerializer(ProductSerializer):
    category = CategoryOfMany(
        slug_field="slug", queryset=Category.objects.all(), allow_null=True, required=False
    )

    class Meta(ProductSerializer.Meta):
        # Uniqueness is checked for all items together.
        extra_kwargs: dict[str, dict[str, Any]] = {"sku": {"validators": [validate_characters]}}


class ChangeItemSerializer(NewItemSerializer):
    id = ProductId()
    version = serializers.IntegerField(
        required=False,
        help_text="The version that you have seen. If it is outdated, the request fails.",
    )

    class Meta(NewItemSerializer.Meta):
        read_only_fields = ["created_at", "updated_at"]

    def get_fields(self) -> dict[str, "serializers.Field[Any, Any, Any, Any]"]:
        """Make all fields optional, except the id."""
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name == "id"
        return fields


class BulkSerializer(serializers.Serializer[dict[str, Any]]):
    # DRF removes declared fields from the class, so the methods of the base class are kept.
    create = NewItemSerializer(many=True, required=False)  # type: ignore[assignment]
    update = ChangeItemSerializer(many=True, required=False)  # type: ignore[assignment]
    delete = serializers.ListField(child=ProductId(), required=False)

    def validate(self, changes: dict[str, Any]) -> dict[str, Any]:
        number = sum(map(len, changes.values()))
        if not 0 < number <= MOST:
            raise serializers.ValidationError(f"Send 1 to {MOST:,} items, not {number:,}.")
        return changes


class BulkResultSerializer(serializers.Serializer[dict[str, Any]]):
    created = ProductSerializer(many=True)
    updated = ProductSerializer(many=True)
    deleted = serializers.ListField(child=ProductId())


class BulkPermission(BasePermission):
    """Admits users with any write permission on products. Each item is checked on its own."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return any(request.user.has_perm(name) for name in PERMISSIONS.values())


def refuse_what_is_not_permitted(request: Request) -> None:
    """Check that the user has the permission for each item: create, update or delete.

    Uses the request only, so it can be called before a stored response is replayed.

    :raises NotPermitted: names each item without permission.
    """
    if refused := _by_item(itertools.islice(_not_permitted(request), MOST)):
        raise NotPermitted(refused)


def _not_permitted(request: Request) -> Iterator[Wrong]:
    data = request.data if isinstance(request.data, dict) else {}
    for place, permission in PERMISSIONS.items():
        items = data.get(place)
        if isinstance(items, list) and not request.user.has_perm(permission):
            for index in range(len(items)):
                yield Wrong(
                    place, index, ITSELF, f"You do not have permission to {place} products."
                )


class BulkChange:
    """The changes of one request.

    :raises ValidationError: names each invalid item.
    """

    def __init__(self, request: Request) -> None:
        context = {"request": request, "categories": _categories(request.data)}
        serializer = BulkSerializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        self._create: list[dict[str, Any]] = serializer.validated_data.get("create", [])
        self._update: list[dict[str, Any]] = serializer.validated_data.get("update", [])
        self._delete: list[int] = serializer.validated_data.get("delete", [])

    def carry_out(self) -> dict[str, Any]:
        """Apply all changes in one transaction, and return the results.

        :raises Conflict: if another request has taken a SKU in the meantime.
        """
        try:
            with transaction.atomic():
                return self._write(self._locked_products())
        except IntegrityError:
            raise Conflict from None

    def _locked_products(self) -> dict[int, Product]:
        ids = {item["id"] for item in self._update}.union(self._delete)
        rows = Product.objects.select_for_update(of=["self"]).select_related("category")
        products = {row.pk: row for row in rows.filter(pk__in=ids).order_by("pk")}
        if errors := _by_item([*self._missing(products), *self._named_twice(), *self._taken()]):
            raise ValidationError(errors)
        if errors := _by_item(self._stale(products)):
            raise Stale(errors)
        return products

    def _missing(self, products: dict[int, Product]) -> Iterator[Wrong]:
        for item, key in self._ids():
            if key not in products:
                yield Wrong(*item, f"Product {key} does not exist.")

    def _named_twice(self) -> Iterator[Wrong]:
        seen: Counter[int] = Counter()
        for item, key in self._ids():
            seen[key] += 1
            if seen[key] == 2:
                yield Wrong(*item, f"Product {key} is listed more than once.")

    def _ids(self) -> Iterator[tuple[tuple[str, int, str], int]]:
        for index, item in enumerate(self._update):
            yield ("update", index, "id"), item["id"]
        for index, key in enumerate(self._delete):
            yield ("delete", index, ITSELF), key

    def _taken(self) -> Iterator[Wrong]:
        """Find SKUs that belong to another product, or occur twice in the request."""
        wanted = [("create", i, None, item["sku"]) for i, item in enumerate(self._create)]
        for index, item in enumerate(self._update):
            if "sku" in item:
                wanted.append(("update", index, item["id"], item["sku"]))
        skus = [sku for *_, sku in wanted]
        holders = Product.objects.filter(sku__in=skus).exclude(pk__in=self._delete)
        holder = dict(holders.values_list("sku", "pk"))
        seen: set[str] = set()
        for place, index, key, sku in wanted:
            if sku in seen or holder.get(sku, key) != key:
                yield Wrong(place, index, "sku", f"Another product has the SKU {sku}.")
            seen.add(sku)

    def _stale(self, products: dict[int, Product]) -> Iterator[Wrong]:
        for index, item in enumerate(self._update):
            seen = item.get("version")
            if seen is None and settings.API_REQUIRE_IF_MATCH:
                raise PreconditionRequired(
                    "Each update must contain the version that you have seen."
                )
            version = products[item["id"]].version
            if seen not in (None, version):
                reason = f"The product has been changed: its version is now {version}."
                yield Wrong("update", index, "version", reason)

    def _write(self, products: dict[int, Product]) -> dict[str, Any]:
        if self._delete:
            Product.objects.filter(pk__in=self._delete).delete()
        self._write_updates(products)
        created = Product.objects.bulk_create([Product(**item) for item in self._create])
        ids = [item["id"] for item in self._update]
        updated = Product.objects.select_related("category").in_bulk(ids)
        return {
            "created": ProductSerializer(created, many=True).data,
            "updated": ProductSerializer([updated[key] for key in ids], many=True).data,
            "deleted": self._delete,
        }

    def _write_updates(self, products: dict[int, Product]) -> None:
        changed: set[str] = set()
        for item in self._update:
            product = products[item["id"]]
            for name, value in item.items():
                if name not in ("id", "version"):
                    setattr(product, name, value)
                    changed.add(name)
        if changed:
            rows = [products[item["id"]] for item in self._update]
            Product.objects.bulk_update(rows, sorted(changed))


def _categories(data: Any) -> dict[str, Category]:
    """The categories that the items name, by slug. Ignores anything that is not an item."""
    lists = [data.get(name) for name in ("create", "update")] if isinstance(data, dict) else []
    items = [item for some in lists if isinstance(some, list) for item in some]
    named = [item.get("category") for item in items if isinstance(item, dict)]
    slugs = {slug for slug in named if isinstance(slug, str) and is_slug(slug)}
    return {category.slug: category for category in Category.objects.filter(slug__in=slugs)}


def _by_item(errors: Iterable[Wrong]) -> dict[str, Any]:
    """Group errors like those of a serializer: ``{"update": {"3": {"sku": [...]}}}``."""
    found: dict[str, Any] = {}
    for place, index, field, reason in errors:
        fields = found.setdefault(place, {}).setdefault(str(index), {})
        fields.setdefault(field, []).append(reason)
    return found
