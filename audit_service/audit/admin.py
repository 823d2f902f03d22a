from django.contrib import admin

from audit_service.audit.models import AuditEntry
from common.admin import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The record can be read; nobody changes it."""

    list_display = ["time", "type", "subject", "sequence", "actor", "recorded_at"]
    list_filter = ["type", "topic"]
    search_fields = ["subject", "actor", "event_id", "correlation_id"]
    fields = [
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
        "event",
    ]
    readonly_fields = ["event"]

    @admin.display(description="The event as it came")
    def event(self, entry: AuditEntry) -> str:
        return bytes(entry.value).decode(errors="replace")
