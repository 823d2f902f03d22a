"""The categories in a file: by slug in our own format, by name in Shopify's."""

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
    """All categories by slug."""
    return {category.slug: category for category in Category.objects.all()}


class ByName:
    """Categories by their exact names. Missing ones are created.

    Names with the same slug (C and C++), or without one (お茶), get slugs with a number.

    :param user: who imports. None for the command, which may create categories.
    """

    def __init__(self, user: Any) -> None:
        self._may_add = may(user, "add", Category)
        self._known = {category.name: category for category in Category.objects.all()}
        self._slugs = {category.slug for category in self._known.values()}
        self.created: list[str] = []

    def get(self, name: str) -> Category:
        """Return the category with this name.

        :raises ValidationError: if it cannot be created.
        """
        if name not in self._known:
            self._known[name] = self._create(name)
        return self._known[name]

    def _create(self, name: str) -> Category:
        if not self._may_add:
            raise serializers.ValidationError("You do not have permission to add categories.")
        serializer = CategorySerializer(data={"name": name, "slug": self._free_slug(name)})
        if not serializer.is_valid():
            raise serializers.ValidationError(next(iter(serializer.errors.values())))
        try:
            with transaction.atomic():
                category: Category = serializer.save()
        except IntegrityError:
            raise serializers.ValidationError(
                "This category has just been created by someone else. Import the file again."
            ) from None
        self._slugs.add(category.slug)
        self.created.append(name)
        return category

    def _free_slug(self, name: str) -> str:
        base = slugify(name)[: SLUG_LENGTH - 7].strip("-") or "category"
        tried = (base if number == 1 else f"{base}-{number}" for number in count(1))
        return next(slug for slug in tried if slug not in self._slugs)
