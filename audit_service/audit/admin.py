from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from audit_service.audit.models import Alert, AuditEntry, ChainHead, Checkpoint, ExportRecord, Rule
from eventbus.admin import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit record, read-only."""

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
        "position",
        "sha_256",
        "event",
    ]
    readonly_fields = ["event", "sha_256"]

    @admin.display(description="Event as received")
    def event(self, entry: AuditEntry) -> str:
        try:
            shown = msgspec.json.format(bytes(entry.value), indent=2)
        except (msgspec.DecodeError, RecursionError):  # in binary mode, the value is the data alone
            shown = bytes(entry.value)
        return format_html("<pre>{}</pre>", shown.decode(errors="replace"))

    @admin.display(description="link")
    def sha_256(self, entry: AuditEntry) -> str:
        return bytes(entry.link).hex()


@admin.register(ChainHead)
class ChainHeadAdmin(ReadOnlyAdmin):
    """The heads of the chains. `verify` checks the chains."""

    list_display = ["topic", "partition", "position", "recorded_at", "pruned_position"]
    fields = [
        "topic",
        "partition",
        "position",
        "recorded_at",
        "pruned_position",
        "replayed_to",
    ]


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "exported_at"]


@admin.register(ExportRecord)
class ExportRecordAdmin(ReadOnlyAdmin):
    """Who exported what."""

    list_display = ["at", "actor", "what"]
    search_fields = ["actor", "what"]


@admin.register(Rule)
class RuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "kind", "types", "threshold", "window_minutes", "is_active"]
    list_filter = ["kind", "is_active"]
    fieldsets = [
        (None, {"fields": ["name", "kind", "is_active", "types"]}),
        ("Thresholds", {"fields": ["threshold", "field", "window_minutes"]}),
        ("Hours", {"fields": ["from_hour", "until_hour", "weekdays_only", "time_zone"]}),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A rule that has raised alerts cannot be deleted, but can be made inactive."""
        if isinstance(obj, Rule) and obj.alerts.exists():
            return False
        return super().has_delete_permission(request, obj)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ["at", "rule", "__str__", "actor", "handled_at", "handled_by"]
    list_filter = [("handled_at", admin.EmptyFieldListFilter), "rule"]
    search_fields = ["actor", "subject", "text"]
    list_select_related = ["rule"]
    actions = ["mark_as_handled"]

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("audit.manage_alert")

    @admin.action(description="Mark as handled", permissions=["manage"])
    def mark_as_handled(self, request: HttpRequest, alerts: QuerySet[Alert]) -> None:
        by = request.user.get_username()
        count = alerts.filter(handled_at__isnull=True).update(
            handled_at=timezone.now(), handled_by=by
        )
        self.message_user(request, f"Alerts marked as handled: {count}.")
