from django.contrib import admin

from common.admin import ReadOnlyAdmin
from common.outbox.models import OutboxEvent


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """What waits and what was relayed; nothing can be changed here."""

    list_display = ["position", "type", "aggregateid", "topic", "created_at", "published_at"]
    list_filter = ["type", ("published_at", admin.EmptyFieldListFilter)]
    search_fields = ["aggregateid", "id"]
