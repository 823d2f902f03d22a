"""List filters that reveal no rows other than those of the list."""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django_filters import rest_framework as filters
from django_filters.filters import QuerySetRequestMixin

OFFERING_ROWS = (QuerySetRequestMixin, filters.AllValuesFilter, filters.AllValuesMultipleFilter)
"""Filters whose choices come from whole tables, whoever owns the rows."""


class IdFilter(filters.Filter):  # type: ignore[misc]
    """Filters rows by the id that they refer to.

    django-filter looks up a relation's value among all rows of the other model: it offers them as
    choices, and reveals whether an id exists. This filter only compares. An id that belongs to
    someone else and an id that does not exist both find nothing.
    """

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, max_value=models.BigIntegerField.MAX_BIGINT, min_value=0, **options)


class FilterSet(filters.FilterSet):  # type: ignore[misc]
    """django-filter's class, with relations filtered by id."""

    FILTER_DEFAULTS = {
        **filters.FilterSet.FILTER_DEFAULTS,
        models.ForeignKey: {"filter_class": IdFilter},
        models.OneToOneField: {"filter_class": IdFilter},
        models.ManyToManyField: {"filter_class": IdFilter},
        models.OneToOneRel: {"filter_class": IdFilter},
        models.ManyToOneRel: {"filter_class": IdFilter},
        models.ManyToManyRel: {"filter_class": IdFilter},
    }


class FilterBackend(filters.DjangoFilterBackend):  # type: ignore[misc]
    """django-filter's backend, without filters that reveal rows other than those of the list."""

    filterset_base = FilterSet

    def get_filterset_class(self, view: Any, queryset: Any = None) -> Any:
        """The filters of a view.

        :raises ImproperlyConfigured: if one offers the rows of a table regardless of their owner.
        """
        found = super().get_filterset_class(view, queryset)
        for name, one in found.base_filters.items() if found else ():
            if isinstance(one, OFFERING_ROWS):
                raise ImproperlyConfigured(
                    f"{found.__name__}.{name} shows all rows of a table to everyone; use IdFilter, "
                    "or base the class on common.servicekit.api.filters.FilterSet."
                )
        return found
