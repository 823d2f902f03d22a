"""The categories that a file names: ours by their slugs, Shopify's by their names."""

from itertools import count
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from rest_framework import serializers

from product_service.products.api.serializers import CategorySerializer
from product_service.products.exchange.permissions import may
from product_service.products.models import Category

SLUG_LENGTH = 100


def by_slug() -> dict[str, Category]:
    """All there are."""
    return {category.slug: category for category in Category.objects.all()}


class ByName:
    """Categories by their exact names. Those that are missing are created.

    Names that make the same slug (C and C++), or none (お茶), get slugs with a number.

    :param user: who imports; None for an operator, who may create categories.
    """

    def __init__(self, user: Any) -> None:
        self._may_add = may(user, "add", Category)
        self._known = {category.name: category for category in Category.objects.all()}
        self._slugs = {category.slug for category in self._known.values()}
        self.created: list[str] = []

    def get(self, name: str) -> Category:
        """The category of that name.

        :raises ValidationError: when there can be none.
        """
        if name not in self._known:
            self._known[name] = self._create(name)
        return self._known[name]

    def _create(self, name: str) -> Category:
        if not self._may_add:
            raise serializers.ValidationError("You may not add categories.")
        serializer = CategorySerializer(data={"name": name, "slug": self._free_slug(name)})
        if not serializer.is_valid():
            raise serializers.ValidationError(next(iter(serializer.errors.values())))
        try:
            with transaction.atomic():
                category: Category = serializer.save()
        except IntegrityError:
            raise serializers.ValidationError(
                "Somebody else created this category at this moment. Import the file again."
            ) from None
        self._slugs.add(category.slug)
        self.created.append(name)
        return category

    def _free_slug(self, name: str) -> str:
        base = slugify(name)[: SLUG_LENGTH - 7].strip("-") or "category"
        tried = (base if number == 1 else f"{base}-{number}" for number in count(1))
        return next(slug for slug in tried if slug not in self._slugs)
