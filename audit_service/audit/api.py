"""The API of the record: for people with the view permission, to read and nothing else."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from audit_service.audit.history import (
    changes,
    entries_of,
    entry_before,
    is_deletion,
    last_entry,
    state_of,
)
from audit_service.audit.models import AuditEntry
from common.api.pagination import KeysetPagination
from common.api.permissions import ModelPermissions


class EntrySerializer(serializers.ModelSerializer):
    data = serializers.SerializerMethodField()

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
            "data",
        ]

    @extend_schema_field({})
    def get_data(self, entry: AuditEntry) -> Any:
        """The data of the event; null where it is not JSON."""
        return entry.data


class EntryFilter(filters.FilterSet):
    since = filters.IsoDateTimeFilter(field_name="time", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="time", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields = ["type", "subject", "actor", "correlation_id"]


class EntryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = AuditEntry.objects.all()
    serializer_class = EntrySerializer
    permission_classes = [ModelPermissions]
    pagination_class = KeysetPagination
    filterset_class = EntryFilter


class FieldChangeSerializer(serializers.Serializer):
    field = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class GapSerializer(serializers.Serializer):
    first = serializers.IntegerField()
    last = serializers.IntegerField()


class ChangeSerializer(serializers.Serializer):
    """A change: who made it, when, in which request, and what it was."""

    sequence = serializers.IntegerField(source="entry.sequence")
    type = serializers.CharField(source="entry.type")
    time = serializers.DateTimeField(source="entry.time", allow_null=True)
    actor = serializers.CharField(source="entry.actor")
    correlation_id = serializers.CharField(source="entry.correlation_id")
    causation_id = serializers.CharField(source="entry.causation_id")
    event_id = serializers.CharField(source="entry.event_id")
    entry_id = serializers.IntegerField(source="entry.pk")
    changed = FieldChangeSerializer(source="fields", many=True)
    missing = GapSerializer(allow_null=True, help_text="What is not recorded just before it.")


class StateSerializer(serializers.Serializer):
    """What something was at a time."""

    at = serializers.DateTimeField()
    is_deleted = serializers.BooleanField()
    sequence = serializers.IntegerField(help_text="Of the last change by then.")
    event_id = serializers.CharField()
    data = serializers.DictField(help_text="As it was; once deleted, as it was last.")


class AtSerializer(serializers.Serializer):
    at = serializers.DateTimeField(default=timezone.now)


class SubjectView(generics.GenericAPIView):
    """Something that events are about, such as ``product`` 17."""

    queryset = AuditEntry.objects.all()
    permission_classes = [ModelPermissions]
    filter_backends = []
    pagination_class = None


class TimelineView(SubjectView):
    serializer_class = ChangeSerializer
    pagination_class = KeysetPagination

    @extend_schema(responses=ChangeSerializer(many=True))
    def get(self, request: Request, aggregate: str, subject: str) -> Response:
        """The changes of one subject, first to last."""
        entries = entries_of(aggregate, subject)
        page = self.paginate_queryset(entries)
        if not page and not entries.exists():
            raise Http404(f"Nothing is recorded of {aggregate} {subject}")
        before = entry_before(page[0], entries) if page else None
        shown = self.get_serializer(list(changes(page, before)), many=True)
        return self.get_paginated_response(shown.data)


class StateView(SubjectView):
    serializer_class = StateSerializer

    @extend_schema(
        parameters=[OpenApiParameter("at", OpenApiTypes.DATETIME, description="Now, if left out.")]
    )
    def get(self, request: Request, aggregate: str, subject: str) -> Response:
        """What one subject was at a time."""
        asked = AtSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data["at"]
        entry = last_entry(aggregate, subject, at)
        if entry is None:
            raise Http404(f"Nothing is recorded of {aggregate} {subject} by {at.isoformat()}")
        state = {
            "at": at,
            "is_deleted": is_deletion(entry),
            "sequence": entry.sequence,
            "event_id": entry.event_id,
            "data": state_of(entry),
        }
        return Response(self.get_serializer(state).data)
