"""API of the history of subjects, and of their state at a point in time."""

from datetime import datetime
from typing import Any

from django.http import Http404, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.pagination import BasePagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from audit_service.audit.models import AuditEntry, ExportRecord
from audit_service.audit.reading.catalogue import as_csv, as_ndjson, catalogue
from audit_service.audit.reading.history import (
    Change,
    FieldChange,
    Gap,
    changes,
    entries_of,
    entry_before,
    is_deletion,
    last_entry,
    state_of,
    transaction_of,
)
from common.servicekit.api.pagination import KeysetPagination
from common.servicekit.api.permissions import ModelPermissions

AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="Point in time; defaults to now.")


class FieldChangeSerializer(serializers.Serializer[FieldChange]):
    field = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class GapSerializer(serializers.Serializer[Gap]):
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    is_lost = serializers.BooleanField(
        help_text="Whether Kafka deleted messages in this gap before they were recorded."
    )


class ChangeSerializer(serializers.Serializer[Change]):
    """A change: what changed, when, by whom, and in which request."""

    subject = serializers.CharField(source="entry.subject")
    sequence = serializers.IntegerField(source="entry.sequence")
    type = serializers.CharField(source="entry.type")
    time = serializers.DateTimeField(source="entry.time", allow_null=True)
    actor = serializers.CharField(source="entry.actor")
    correlation_id = serializers.CharField(source="entry.correlation_id")
    causation_id = serializers.CharField(source="entry.causation_id")
    event_id = serializers.CharField(source="entry.event_id")
    entry_id = serializers.IntegerField(source="entry.pk")
    changed = FieldChangeSerializer(source="fields", many=True)
    missing = GapSerializer(
        allow_null=True, help_text="The gap in the record just before this change."
    )


class StateSerializer(serializers.Serializer[dict[str, Any]]):
    """The state of a subject at a point in time."""

    at = serializers.DateTimeField()
    is_deleted = serializers.BooleanField()
    sequence = serializers.IntegerField(help_text="Sequence of the last change up to that time.")
    event_id = serializers.CharField()
    # DRF removes declared fields from the class, so the property of the base class is kept.
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The state. For a deleted subject, its last state."
    )


class AtSerializer(serializers.Serializer[dict[str, datetime]]):
    at = serializers.DateTimeField(default=timezone.now)


def asked_time(request: Request) -> Any:
    """Return the point in time that a request asks for.

    :raises ValidationError: if it is not a valid time.
    """
    asked = AtSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return asked.validated_data["at"]


class SubjectView(generics.GenericAPIView[Any]):
    """What events are about, such as ``product`` 17."""

    queryset = AuditEntry.objects.all()
    permission_classes = [ModelPermissions]
    filter_backends = []
    pagination_class: type[BasePagination] | None = None


class TimelineView(SubjectView):
    serializer_class = ChangeSerializer
    pagination_class = KeysetPagination

    @extend_schema(responses=ChangeSerializer(many=True))
    def get(self, request: Request, aggregate: str, subject: str) -> Response:
        """List the changes of one subject, oldest first."""
        entries = entries_of(aggregate, subject)
        page = self.paginate_queryset(entries)
        if not page and not entries.exists():
            raise Http404(f"No entries for {aggregate} {subject}")
        before = entry_before(page[0], entries) if page else None
        shown = self.get_serializer(list(changes(page or [], before)), many=True)
        return self.get_paginated_response(shown.data)


class StateView(SubjectView):
    serializer_class = StateSerializer

    @extend_schema(parameters=[AT])
    def get(self, request: Request, aggregate: str, subject: str) -> Response:
        """Return the state of one subject at a point in time."""
        at = asked_time(request)
        entry = last_entry(aggregate, subject, at)
        if entry is None:
            raise Http404(f"No entries for {aggregate} {subject} up to {at.isoformat()}")
        state = {
            "at": at,
            "is_deleted": is_deletion(entry),
            "sequence": entry.sequence,
            "event_id": entry.event_id,
            "data": state_of(entry),
        }
        return Response(self.get_serializer(state).data)


class TransactionSerializer(ChangeSerializer):
    """A change as part of a request, with the state before and after it."""

    before = serializers.DictField(
        allow_null=True, help_text="State before; null if it did not exist."
    )
    after = serializers.DictField(allow_null=True, help_text="State after; null if it was deleted.")


class TransactionView(SubjectView):
    serializer_class = TransactionSerializer
    pagination_class = KeysetPagination

    @extend_schema(responses=TransactionSerializer(many=True))
    def get(self, request: Request, correlation_id: str) -> Response:
        """List all changes made by one request, in the order in which they were recorded."""
        entries = AuditEntry.objects.filter(correlation_id=correlation_id).order_by("id")
        page = self.paginate_queryset(entries)
        if not page and not entries.exists():
            raise Http404(f"No entries for {correlation_id}")
        shown = self.get_serializer(transaction_of(page or []), many=True)
        return self.get_paginated_response(shown.data)


class NDJSONRenderer(JSONRenderer):
    """Renders errors only: the results are streamed without it."""

    media_type = "application/x-ndjson"
    format = "ndjson"


class CSVRenderer(JSONRenderer):
    """Like :class:`NDJSONRenderer`."""

    media_type = "text/csv"
    format = "csv"


class ExportPermissions(ModelPermissions):
    perms_map = {
        "GET": ["audit.export_auditentry"],
        "HEAD": ["audit.export_auditentry"],
        "OPTIONS": [],
    }


class CatalogueView(generics.GenericAPIView[Any]):
    queryset = AuditEntry.objects.all()
    permission_classes = [ExportPermissions]
    renderer_classes = [NDJSONRenderer, CSVRenderer]
    serializer_class = StateSerializer
    filter_backends = []
    pagination_class: type[BasePagination] | None = None

    @extend_schema(
        operation_id="subjects_state_list",
        parameters=[AT],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request, aggregate: str) -> StreamingHttpResponse:
        """Export the state of all subjects of a kind at a point in time, as NDJSON or CSV."""
        at = asked_time(request)
        ExportRecord.objects.create(
            actor=request.user.get_username(), what=f"{aggregate[:200]} at {at.isoformat()}"
        )
        is_csv = request.accepted_renderer.format == "csv"
        lines = (as_csv if is_csv else as_ndjson)(catalogue(aggregate, at))
        media_type = request.accepted_renderer.media_type
        response = StreamingHttpResponse(lines, content_type=media_type)
        name = f"catalogue.{request.accepted_renderer.format}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
