"""Filters of lists, which know no rows but those of the list."""

from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django_filters import rest_framework as filters
from django_filters.filters import QuerySetRequestMixin

OFFERING_ROWS = (QuerySetRequestMixin, filters.AllValuesFilter, filters.AllValuesMultipleFilter)
"""Filters whose choices are read from tables, whoever those rows belong to."""


class IdFilter(filters.Filter):  # type: ignore[misc]
    """The rows that refer to an id.

    django-filter looks a relation's value up among all rows of the other model: it shows them as
    choices, and says of an id whether there is such a row. This one compares and nothing else.
    An id that is somebody else's, and one that nobody has, find the same: nothing.
    """

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, max_value=models.BigIntegerField.MAX_BIGINT, min_value=0, **options)


class FilterSet(filters.FilterSet):  # type: ignore[misc]
    """django-filter's, with relations filtered by id."""

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
    """django-filter's, which takes no filter that shows rows beside those of the list."""

    filterset_base = FilterSet

    def get_filterset_class(self, view: Any, queryset: Any = None) -> Any:
        """The filters of a view.

        :raises ImproperlyConfigured: where one offers rows of a table, whoever they belong to.
        """
        found = super().get_filterset_class(view, queryset)
        for name, one in found.base_filters.items() if found else ():
            if isinstance(one, OFFERING_ROWS):
                raise ImproperlyConfigured(
                    f"{found.__name__}.{name} shows everybody rows of a table; use IdFilter, or "
                    "base the class on common.servicekit.api.filters.FilterSet."
                )
        return found
