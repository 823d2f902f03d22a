"""The pages for users: the explorer, an event, a subject, a transaction."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from audit_service.audit.models import NOTHING, Alert, AuditEntry
from audit_service.audit.pages.filters import EntryFilters, recent_types
from audit_service.audit.pages.rate import WINDOWS, rate
from audit_service.audit.reading.history import (
    Change,
    changes,
    entries_of,
    entry_before,
    transaction_of,
)
from audit_service.audit.record.sealed import sealed
from audit_service.audit.record.sealing import link
from eventbus.inbox.parking.payload import pretty

View = Callable[..., HttpResponse]
SHOWN = 50
SHOWN_ALERTS = 3
MOST_CHANGES = 500
"""Shown of a timeline or a transaction; the API has the rest."""


def readers_only(view: View) -> View:
    """Restrict a view to users who may view entries."""
    allowed = permission_required("audit.view_auditentry", raise_exception=True)(view)
    return login_required(allowed)


@readers_only
def explorer(request: HttpRequest) -> HttpResponse:
    """Show the latest events. New ones appear without reloading."""
    filters = EntryFilters(request.GET)
    before = _number(request.GET.get("before"))
    entries = filters.entries()
    if before is not None:
        entries = entries.filter(id__lt=before)
    found = list(entries[: SHOWN + 1])
    shown = found[:SHOWN]
    context = {
        "filters": filters,
        "types": recent_types(),
        "entries": shown,
        "is_live": filters.is_live and before is None,
        "newest": shown[0].pk if shown else 0,
        "older": filters.query(before=shown[-1].pk) if len(found) > SHOWN else "",
        "is_first_page": before is None,
        "windows": WINDOWS,
        "alerts": _open_alerts() if request.user.has_perm("audit.view_alert") else [],
    }
    return render(request, "audit/explorer.html", context)


@readers_only
def newer(request: HttpRequest) -> HttpResponse:
    """Return the rows since the last poll, and the next poll."""
    filters = EntryFilters(request.GET)
    after = _number(request.GET.get("after")) or 0
    entries = list(filters.entries().filter(id__gt=after)[:SHOWN])
    newest = entries[0].pk if entries else after
    context = {"filters": filters, "entries": entries, "newest": newest, "is_live": True}
    return render(request, "audit/rows.html", context)


@readers_only
def rates(request: HttpRequest) -> JsonResponse:
    """Return the data of the chart."""
    window = WINDOWS.get(request.GET.get("window", ""), WINDOWS["hour"])
    found = rate(EntryFilters(request.GET).entries(), window, timezone.now())
    return JsonResponse({**found, "total": sum(found["counts"]), "label": window.label})


@readers_only
def entry_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one event: its attributes, what it changed, and its link in the chain."""
    entry = get_object_or_404(AuditEntry, pk=pk)
    change: Change | None = None
    if entry.sequence is not None:
        before = entry_before(entry, entries_of(entry.aggregate, entry.subject))
        [change] = changes([entry], before)
    context = {
        "entry": entry,
        "change": change,
        "attributes": _attributes(entry),
        "value": pretty(bytes(entry.value)),
        "proof": _proof(entry),
    }
    return render(request, "audit/entry.html", context)


@readers_only
def subject_page(request: HttpRequest, aggregate: str, subject: str) -> HttpResponse:
    """Show the timeline of a subject, newest change first."""
    entries = entries_of(aggregate, subject)
    newest = list(entries.reverse()[: MOST_CHANGES + 1])
    if not newest:
        raise Http404(f"No entries for {aggregate} {subject}")
    oldest_first = newest[MOST_CHANGES - 1 :: -1] if len(newest) > MOST_CHANGES else newest[::-1]
    before = newest[MOST_CHANGES] if len(newest) > MOST_CHANGES else None
    found = list(changes(oldest_first, before))
    context = {
        "aggregate": aggregate,
        "subject": subject,
        "changes": found[::-1],
        "is_cut": before is not None,
    }
    return render(request, "audit/subject.html", context)


@readers_only
def transaction_page(request: HttpRequest, correlation_id: str) -> HttpResponse:
    """Show all changes made by one request."""
    entries = AuditEntry.objects.filter(correlation_id=correlation_id).order_by("id")
    found = list(entries[: MOST_CHANGES + 1])
    if not found:
        raise Http404(f"No entries for {correlation_id}")
    context = {
        "correlation_id": correlation_id,
        "changes": list(transaction_of(found[:MOST_CHANGES])),
        "is_cut": len(found) > MOST_CHANGES,
    }
    return render(request, "audit/transaction.html", context)


def _open_alerts() -> QuerySet[Alert]:
    return Alert.objects.filter(handled_at__isnull=True).select_related("rule")[:SHOWN_ALERTS]


def _number(text: str | None) -> int | None:
    """Parse a row id from the query string; None if it is not a number."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _attributes(entry: AuditEntry) -> list[tuple[str, Any]]:
    envelope = entry.envelope
    if envelope is None:
        return []
    names = [name for name in envelope.__struct_fields__ if not name.startswith("data_")]
    found = [(name, getattr(envelope, name)) for name in names if name != "data"]
    return [(name, value) for name, value in found if value is not None]


def _proof(entry: AuditEntry) -> dict[str, Any]:
    """Check the link of an entry against the previous entry, if that still exists."""
    chain = AuditEntry.objects.filter(topic=entry.topic, partition=entry.partition)
    before = chain.filter(position=entry.position - 1).first()
    previous = bytes(before.link) if before else NOTHING
    [row] = sealed(AuditEntry.objects.filter(pk=entry.pk))
    holds = link(previous, row.bytes) == row.link
    return {
        "link": bytes(entry.link).hex(),
        "previous": previous.hex(),
        "before": before,
        "holds": holds,
        "is_known": before is not None or entry.position == 1,
    }
