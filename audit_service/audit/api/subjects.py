"""The API of what happened to a subject, and of what it was."""

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

AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="Now, if left out.")


class FieldChangeSerializer(serializers.Serializer[FieldChange]):
    field = serializers.CharField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class GapSerializer(serializers.Serializer[Gap]):
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    is_lost = serializers.BooleanField(
        help_text="Whether Kafka deleted messages there before they could be recorded."
    )


class ChangeSerializer(serializers.Serializer[Change]):
    """A change: who made it, when, in which request, and what it was."""

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
    missing = GapSerializer(allow_null=True, help_text="What is not recorded just before it.")


class StateSerializer(serializers.Serializer[dict[str, Any]]):
    """What something was at a time."""

    at = serializers.DateTimeField()
    is_deleted = serializers.BooleanField()
    sequence = serializers.IntegerField(help_text="Of the last change by then.")
    event_id = serializers.CharField()
    # DRF takes the fields out of the class, so its property stays.
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="As it was; once deleted, as it was last."
    )


class AtSerializer(serializers.Serializer[dict[str, datetime]]):
    at = serializers.DateTimeField(default=timezone.now)


def asked_time(request: Request) -> Any:
    """The time that a request asks for.

    :raises ValidationError: when it is none.
    """
    asked = AtSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return asked.validated_data["at"]


class SubjectView(generics.GenericAPIView[Any]):
    """Something that events are about, such as ``product`` 17."""

    queryset = AuditEntry.objects.all()
    permission_classes = [ModelPermissions]
    filter_backends = []
    pagination_class: type[BasePagination] | None = None


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
        shown = self.get_serializer(list(changes(page or [], before)), many=True)
        return self.get_paginated_response(shown.data)


class StateView(SubjectView):
    serializer_class = StateSerializer

    @extend_schema(parameters=[AT])
    def get(self, request: Request, aggregate: str, subject: str) -> Response:
        """What one subject was at a time."""
        at = asked_time(request)
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


class TransactionSerializer(ChangeSerializer):
    """A change as one part of what a request did."""

    before = serializers.DictField(allow_null=True, help_text="Null where there was nothing.")
    after = serializers.DictField(allow_null=True, help_text="Null where it was deleted.")


class TransactionView(SubjectView):
    serializer_class = TransactionSerializer
    pagination_class = KeysetPagination

    @extend_schema(responses=TransactionSerializer(many=True))
    def get(self, request: Request, correlation_id: str) -> Response:
        """All that one request did, in the order in which it was recorded."""
        entries = AuditEntry.objects.filter(correlation_id=correlation_id).order_by("id")
        page = self.paginate_queryset(entries)
        if not page and not entries.exists():
            raise Http404(f"Nothing is recorded of {correlation_id}")
        shown = self.get_serializer(transaction_of(page or []), many=True)
        return self.get_paginated_response(shown.data)


class NDJSONRenderer(JSONRenderer):
    """What is found is streamed past it; it renders the errors."""

    media_type = "application/x-ndjson"
    format = "ndjson"


class CSVRenderer(JSONRenderer):
    """As :class:`NDJSONRenderer`."""

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
        """Everything of a kind, as it was at a time, as lines of JSON or as CSV."""
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
