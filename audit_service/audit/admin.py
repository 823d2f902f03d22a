from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit_service.audit.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):
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

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission
