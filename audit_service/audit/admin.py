import msgspec
from django.contrib import admin
from django.utils.html import format_html

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
        try:
            shown = msgspec.json.format(bytes(entry.value), indent=2)
        except msgspec.DecodeError:  # in binary mode, the value is the data alone
            shown = bytes(entry.value)
        return format_html("<pre>{}</pre>", shown.decode(errors="replace"))
