"""The admin pages of the consuming side: parked events, decisions about them, and workers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.timesince import timesince

from eventbus.admin import ReadOnlyAdmin
from eventbus.events.codec import headers_from_text
from eventbus.inbox.models import LostMessages, ParkedDecision, ParkedEvent, ParkedKey, WorkerState
from eventbus.inbox.parking import decisions
from eventbus.inbox.parking.overview import is_abandoned, waiting_keys
from eventbus.inbox.parking.payload import pretty
from eventbus.inbox.running import health
from eventbus.inbox.running.heartbeat import shown_partitions

Action = ParkedDecision.Action
Decide = Callable[[int, str, str], object]

MOST_AT_ONCE = 500
"""Django accepts 1,000 form fields, and each event is a transaction within the request."""

STYLES = {"all": ["eventbus_inbox/admin.css"]}
DECISIONS: dict[Action, Decide] = {
    Action.RETRY: decisions.retry_now,
    Action.DISCARD: decisions.discard,
    Action.DISCARD_AND_RELEASE: lambda event, by, reason: decisions.discard(
        event, by, reason, release=True
    ),
}


class Reason(forms.Form):
    """Asks for the reason of a decision."""

    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}))

    def __init__(self, *args: Any, required: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = required


class DecidingAdmin(ReadOnlyAdmin):
    """Pages that offer the three decisions as actions, each of which asks for a reason."""

    actions = ["retry_now", "discard", "discard_and_release"]

    class Media:
        css = STYLES

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Required by the actions below."""
        return request.user.has_perm("eventbus_inbox.resolve_parkedevent")

    @admin.action(description="Retry now", permissions=["resolve"])
    def retry_now(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        return self._decide(request, chosen, Action.RETRY)

    @admin.action(description="Discard", permissions=["resolve"])
    def discard(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        return self._decide(request, chosen, Action.DISCARD)

    @admin.action(description="Discard and release followers", permissions=["resolve"])
    def discard_and_release(
        self, request: HttpRequest, chosen: QuerySet[Any]
    ) -> HttpResponse | None:
        return self._decide(request, chosen, Action.DISCARD_AND_RELEASE)

    def events(self, chosen: QuerySet[Any]) -> list[ParkedEvent]:
        """The events that a decision about the selected rows applies to."""
        return list(chosen.select_related("parked_key"))

    def _decide(
        self, request: HttpRequest, chosen: QuerySet[Any], action: Action
    ) -> HttpResponse | None:
        if chosen.count() > MOST_AT_ONCE:
            text = f"Select at most {MOST_AT_ONCE} rows at a time; filter or select fewer."
            self.message_user(request, text, messages.WARNING)
            return None
        answered = "reason" in request.POST
        needed = action != Action.RETRY
        form = Reason(request.POST if answered else None, required=needed, label_suffix="")
        events = self.events(chosen)
        if answered and form.is_valid():
            self._apply(request, events, action, form.cleaned_data["reason"])
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action.label.capitalize()}?",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "events": events,
            "action": request.POST["action"],
            "chosen": chosen,
        }
        return TemplateResponse(request, "admin/eventbus_inbox/decide.html", context)

    def _apply(
        self, request: HttpRequest, events: list[ParkedEvent], action: Action, reason: str
    ) -> None:
        done = 0
        for event in events:
            try:
                DECISIONS[action](event.pk, request.user.get_username(), reason)
            except (decisions.NotOpen, decisions.HandlerGone) as error:
                self.message_user(request, f"{error}.", messages.WARNING)
            else:
                done += 1
                self.log_change(request, event, f"{action.label}: {reason}" if reason else action)
        if done:
            counted = "1 event" if done == 1 else f"{done} events"
            self.message_user(request, f"{counted}: {action.label}.", messages.SUCCESS)
        if action != Action.DISCARD and not health.workers():
            text = "No worker is running: start consume_events to retry waiting events."
            self.message_user(request, text, messages.WARNING)


@admin.register(ParkedKey)
class ParkedKeyAdmin(DecidingAdmin):
    list_display = ["shown_key", "waits_for", "badge", "line", "first_error", "next_try", "parked"]
    list_display_links = None
    list_filter = ["state", "topic", "handler"]
    search_fields = ["key", "handler"]
    show_facets = admin.ShowFacets.NEVER

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return waiting_keys()

    def events(self, chosen: QuerySet[Any]) -> list[ParkedEvent]:
        """The first event of each line."""
        firsts = chosen.values_list("head", flat=True)
        return list(ParkedEvent.objects.filter(pk__in=[*firsts]).select_related("parked_key"))

    @admin.display(description="key", ordering="key")
    def shown_key(self, key: ParkedKey) -> str:
        return key.shown_key

    @admin.display(description="waits for", ordering="handler")
    def waits_for(self, key: ParkedKey) -> str:
        return _waits_for(key)

    @admin.display(description="state", ordering="state")
    def badge(self, key: ParkedKey) -> str:
        if is_abandoned(key):
            return _badge("dead", "handler not found")
        return _badge(key.state, key.get_state_display())

    @admin.display(description="waiting", ordering="waiting")
    def line(self, key: Any) -> str:
        url = reverse("admin:eventbus_inbox_parkedevent_changelist")
        return format_html('<a href="{}?parked_key__id__exact={}">{}</a>', url, key.pk, key.waiting)

    @admin.display(description="error")
    def first_error(self, key: Any) -> str:
        url = reverse("admin:eventbus_inbox_parkedevent_change", args=[key.head])
        text = Truncator(key.error or "").chars(80) or "not retried yet"
        return format_html('<a href="{}">{}</a>', url, text)

    @admin.display(description="next try", ordering="next_try_at")
    def next_try(self, key: ParkedKey) -> str:
        return _when(key.next_try_at)

    @admin.display(description="parked", ordering="since")
    def parked(self, key: Any) -> str:
        return _when(key.since)


class DecisionInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ParkedDecision
    verbose_name_plural = "decisions"
    fields = ("action", "by", "at", "reason")
    readonly_fields = ("action", "by", "at", "reason")
    extra = max_num = 0
    can_delete = False


@admin.register(ParkedEvent)
class ParkedEventAdmin(DecidingAdmin):
    list_display = [
        "__str__",
        "badge",
        "line",
        "waits_for",
        "short_error",
        "attempts",
        "next_try",
        "parked_at",
    ]
    list_filter = ["state", "type", "handler", "parked_key__handler"]
    list_select_related = ["parked_key"]
    search_fields = ["parked_key__key", "event_id", "error"]
    inlines = [DecisionInline]
    fieldsets = (
        (None, {"fields": ["badge", "error", "handler", "attempts", "next_try", "trace"]}),
        (
            "Event",
            {"fields": ["type", "event_id", "line", "waits_for", "payload", "shown_headers"]},
        ),
        ("In Kafka", {"fields": ["place", "parked_at", "handled_at"]}),
    )
    readonly_fields = [
        "badge",
        "line",
        "waits_for",
        "next_try",
        "trace",
        "payload",
        "shown_headers",
        "place",
    ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        known = lookup == "parked_key__id__exact"
        return known or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description="state", ordering="state")
    def badge(self, event: ParkedEvent) -> str:
        if event.is_open and is_abandoned(event.parked_key):
            return _badge("dead", "handler not found")
        dead = event.state == "failed" and event.parked_key.state == ParkedKey.State.DEAD
        return _badge("dead" if dead else event.state, _state(event, dead))

    @admin.display(description="key", ordering="parked_key__key")
    def line(self, event: ParkedEvent) -> str:
        return event.parked_key.shown_key

    @admin.display(description="waits for", ordering="parked_key__handler")
    def waits_for(self, event: ParkedEvent) -> str:
        return _waits_for(event.parked_key)

    @admin.display(description="error")
    def short_error(self, event: ParkedEvent) -> str:
        return Truncator(event.error).chars(80)

    @admin.display(description="next try")
    def next_try(self, event: ParkedEvent) -> str:
        return _when(event.parked_key.next_try_at if event.state == "failed" else None)

    @admin.display(description="traceback")
    def trace(self, event: ParkedEvent) -> str:
        return format_html("<pre class=inbox>{}</pre>", event.traceback) if event.traceback else "-"

    @admin.display(description="message")
    def payload(self, event: ParkedEvent) -> str:
        return format_html("<pre class=inbox>{}</pre>", pretty(event.value))

    @admin.display(description="headers")
    def shown_headers(self, event: ParkedEvent) -> str:
        pairs = headers_from_text(event.headers)
        lines = [f"{name}: {raw.decode(errors='backslashreplace')}" for name, raw in pairs]
        return format_html("<pre class=inbox>{}</pre>", "\n".join(lines)) if lines else "-"


@admin.register(LostMessages)
class LostMessagesAdmin(ReadOnlyAdmin):
    """Messages that Kafka deleted before they were read; this is the only record of them."""

    list_display = ["topic", "partition", "first", "last", "count", "consumer", "noticed_at"]
    list_filter = ["topic"]


@admin.register(WorkerState)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__",
        "alive",
        "reads",
        "lag",
        "lost",
        "rate",
        "last_event",
        "seen",
        "running",
    ]
    list_display_links = None
    ordering = ["-seen_at"]

    class Media:
        css = STYLES

    @admin.display(description="state")
    def alive(self, worker: WorkerState) -> str:
        is_alive = timezone.now() - worker.seen_at < health.ALIVE
        return _badge("alive", "running") if is_alive else _badge("gone", "not seen recently")

    @admin.display(description="partitions")
    def reads(self, worker: WorkerState) -> str:
        return shown_partitions(worker.partitions)

    @admin.display(description="seen", ordering="seen_at")
    def seen(self, worker: WorkerState) -> str:
        return _when(worker.seen_at)

    @admin.display(description="running for", ordering="started_at")
    def running(self, worker: WorkerState) -> str:
        return timesince(worker.started_at, worker.seen_at, depth=1)


def _state(event: ParkedEvent, dead: bool) -> str:
    return "dead, needs a decision" if dead else event.get_state_display()


def _waits_for(key: ParkedKey) -> str:
    return f"only {key.handler}" if key.handler else "all handlers"


def _when(moment: datetime | None) -> str:
    return str(naturaltime(moment)) if moment else "-"


def _badge(kind: str, text: str) -> str:
    return format_html('<span class="inbox-badge inbox-{}">{}</span>', kind, text)
