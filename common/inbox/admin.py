from django.contrib import admin

from common.admin import ReadOnlyAdmin
from common.inbox.models import ParkedEvent, Worker


@admin.register(ParkedEvent)
class ParkedEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "state", "type", "held_key", "error", "attempts", "parked_at"]
    list_filter = ["state", "type"]
    search_fields = ["held_key", "event_id", "error"]


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["consumer", "host", "pid", "partitions", "seen_at"]
