"""Read-only API of the record, for users who may view entries."""

from typing import Any

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, viewsets

from audit_service.audit.models import AuditEntry
from common.servicekit.api.filters import FilterSet
from common.servicekit.api.pagination import KeysetPagination
from common.servicekit.api.permissions import ModelPermissions


class EntrySerializer(serializers.ModelSerializer[AuditEntry]):
    link = serializers.SerializerMethodField(
        help_text="The link of the entry in its chain, in hexadecimal."
    )
    # DRF removes declared fields from the class, so the property of the base class is kept.
    data = serializers.SerializerMethodField()  # type: ignore[assignment]

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "event_id",
            "source",
            "type",
            "subject",
            "sequence",
            "time",
            "actor",
            "correlation_id",
            "causation_id",
            "topic",
            "partition",
            "offset",
            "recorded_at",
            "position",
            "link",
            "data",
        ]

    def get_link(self, entry: AuditEntry) -> str:
        return bytes(entry.link).hex()

    @extend_schema_field({})
    def get_data(self, entry: AuditEntry) -> Any:
        """The data of the event; null if it is not JSON."""
        return entry.data


class EntryFilter(FilterSet):
    since = filters.IsoDateTimeFilter(field_name="time", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="time", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields = ["type", "subject", "actor", "correlation_id"]


class EntryViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[AuditEntry]
):
    queryset = AuditEntry.objects.all()
    serializer_class = EntrySerializer
    permission_classes = [ModelPermissions]
    pagination_class = KeysetPagination
    filterset_class = EntryFilter
