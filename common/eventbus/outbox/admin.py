from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.http import HttpRequest, HttpResponse

from eventbus.admin import ReadOnlyAdmin
from eventbus.outbox.models import OutboxEvent


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """Waiting and relayed events, read-only."""

    list_display = ["position", "type", "aggregateid", "topic", "created_at", "published_at"]
    list_filter = ["type", ("published_at", admin.EmptyFieldListFilter)]
    search_fields = ["aggregateid", "id"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, below a line with the number of waiting events and the age of the oldest."""
        rows = OutboxEvent.objects.filter(published_at=None)
        oldest = rows.order_by("position").first()
        waiting = rows.count()
        state = {
            "waiting": waiting,
            "shown_waiting": f"{waiting:,}",
            "oldest": naturaltime(oldest.created_at) if oldest else "",
        }
        return super().changelist_view(request, {**(extra_context or {}), **state})
