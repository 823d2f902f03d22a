"""Changing many products in one request, in a number of queries that does not grow with them."""

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
    """What is wrong with which item."""

    place: str
    index: int  # type: ignore[assignment]  # nobody asks this tuple for its index()
    field: str
    reason: str


class Stale(ValidationError):
    """Some of the products are not any more what the client has seen."""

    status_code = status.HTTP_412_PRECONDITION_FAILED


class NotPermitted(ValidationError):
    """The user may not do some of it."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "permission_denied"


class Conflict(APIException):
    """Somebody else wrote at the same moment."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"
    default_detail = "Somebody else took one of these SKUs at this moment. Try again."


class ProductId(serializers.IntegerField):
    """An id that the column can hold."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=models.BigIntegerField.MAX_BIGINT, **options)


class CategoryOfMany(serializers.SlugRelatedField[Category]):
    """A category by its slug, of those that were read for all items together."""

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
        # Whether it is taken is looked at for all items together.
        extra_kwargs: dict[str, dict[str, Any]] = {"sku": {"validators": [validate_characters]}}


class ChangeItemSerializer(NewItemSerializer):
    id = ProductId()
    version = serializers.IntegerField(
        required=False, help_text="The one that you have seen: another one refuses the change."
    )

    class Meta(NewItemSerializer.Meta):
        read_only_fields = ["created_at", "updated_at"]

    def get_fields(self) -> dict[str, "serializers.Field[Any, Any, Any, Any]"]:
        """What a change leaves out stays as it is."""
        fields = super().get_fields()
        for name, field in fields.items():
            field.required = name == "id"
        return fields


class BulkSerializer(serializers.Serializer[dict[str, Any]]):
    # DRF takes the fields out of the class, so its methods stay.
    create = NewItemSerializer(many=True, required=False)  # type: ignore[assignment]
    update = ChangeItemSerializer(many=True, required=False)  # type: ignore[assignment]
    delete = serializers.ListField(child=ProductId(), required=False)

    def validate(self, changes: dict[str, Any]) -> dict[str, Any]:
        number = sum(map(len, changes.values()))
        if not 0 < number <= MOST:
            raise serializers.ValidationError(f"These are {number:,} items; 1 to {MOST:,} can be.")
        return changes


class BulkResultSerializer(serializers.Serializer[dict[str, Any]]):
    created = ProductSerializer(many=True)
    updated = ProductSerializer(many=True)
    deleted = serializers.ListField(child=ProductId())


class BulkPermission(BasePermission):
    """Lets in who may do anything at all with products; each item is looked at by itself."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return any(request.user.has_perm(name) for name in PERMISSIONS.values())


def refuse_what_is_not_permitted(request: Request) -> None:
    """See that the user may do what each item does: create, update or delete.

    It looks at the request alone, so it can come before an answer that was kept is given again.

    :raises NotPermitted: naming each item that the user may not carry out.
    """
    if refused := _by_item(itertools.islice(_not_permitted(request), MOST)):
        raise NotPermitted(refused)


def _not_permitted(request: Request) -> Iterator[Wrong]:
    data = request.data if isinstance(request.data, dict) else {}
    for place, permission in PERMISSIONS.items():
        items = data.get(place)
        if isinstance(items, list) and not request.user.has_perm(permission):
            for index in range(len(items)):
                yield Wrong(place, index, ITSELF, f"You may not {place} products.")


class BulkChange:
    """The changes that one request asks for.

    :raises ValidationError: naming each item that cannot be carried out.
    """

    def __init__(self, request: Request) -> None:
        context = {"request": request, "categories": _categories(request.data)}
        serializer = BulkSerializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        self._create: list[dict[str, Any]] = serializer.validated_data.get("create", [])
        self._update: list[dict[str, Any]] = serializer.validated_data.get("update", [])
        self._delete: list[int] = serializer.validated_data.get("delete", [])

    def carry_out(self) -> dict[str, Any]:
        """Do all of it in one transaction, and tell what became of it.

        :raises Conflict: when a SKU was taken by somebody else meanwhile.
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
                yield Wrong(*item, f"There is no product {key}.")

    def _named_twice(self) -> Iterator[Wrong]:
        seen: Counter[int] = Counter()
        for item, key in self._ids():
            seen[key] += 1
            if seen[key] == 2:
                yield Wrong(*item, f"Product {key} is named twice.")

    def _ids(self) -> Iterator[tuple[tuple[str, int, str], int]]:
        for index, item in enumerate(self._update):
            yield ("update", index, "id"), item["id"]
        for index, key in enumerate(self._delete):
            yield ("delete", index, ITSELF), key

    def _taken(self) -> Iterator[Wrong]:
        """SKUs that another product has, or another item of this request wants."""
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
                raise PreconditionRequired("Say in each change which version you have seen.")
            version = products[item["id"]].version
            if seen not in (None, version):
                reason = f"It was changed meanwhile: its version is {version} now."
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
    """The categories that the items name, by slug; what is no item has none."""
    lists = [data.get(name) for name in ("create", "update")] if isinstance(data, dict) else []
    items = [item for some in lists if isinstance(some, list) for item in some]
    named = [item.get("category") for item in items if isinstance(item, dict)]
    slugs = {slug for slug in named if isinstance(slug, str) and is_slug(slug)}
    return {category.slug: category for category in Category.objects.filter(slug__in=slugs)}


def _by_item(errors: Iterable[Wrong]) -> dict[str, Any]:
    """In the form of a serializer's errors, such as ``{"update": {"3": {"sku": [...]}}}``."""
    found: dict[str, Any] = {}
    for place, index, field, reason in errors:
        fields = found.setdefault(place, {}).setdefault(str(index), {})
        fields.setdefault(field, []).append(reason)
    return found
