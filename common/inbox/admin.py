from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.inbox.models import ParkedEvent, Worker


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at, not to change."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(ParkedEvent)
class ParkedEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "state", "type", "held_key", "error", "attempts", "parked_at"]
    list_filter = ["state", "type"]
    search_fields = ["held_key", "event_id", "error"]


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["consumer", "host", "pid", "partitions", "seen_at"]
