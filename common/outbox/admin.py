from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from common.outbox.models import OutboxEvent


@admin.register(OutboxEvent)
class OutboxEventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What waits and what was relayed; nothing can be changed here."""

    list_display = ["position", "type", "aggregateid", "topic", "created_at", "published_at"]
    list_filter = ["type", ("published_at", admin.EmptyFieldListFilter)]
    search_fields = ["aggregateid", "id"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission
