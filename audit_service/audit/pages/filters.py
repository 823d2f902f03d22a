"""The filters of the explorer, which are in its URL."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from audit_service.audit.models import AuditEntry

RECENT = 1000


class EntryFilters(forms.Form):
    """Which entries to show. Invalid values are ignored, and shown as errors."""

    type = forms.CharField(required=False, max_length=255)
    subject = forms.CharField(required=False, max_length=255)
    actor = forms.CharField(required=False, max_length=255)
    correlation_id = forms.CharField(required=False, max_length=255, label="Request")
    live = forms.ChoiceField(
        required=False, choices=[("", "yes"), ("no", "no")], label="Live", initial=""
    )

    EQUAL = ("type", "subject", "actor", "correlation_id")

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, auto_id="filter-%s")
        self.is_valid()
        self.fields["type"].widget.attrs |= {"list": "types", "placeholder": "product.updated"}

    @property
    def asked(self) -> dict[str, str]:
        """The filters that are set."""
        found: dict[str, Any] = self.cleaned_data
        return {name: found[name] for name in self.EQUAL if found.get(name)}

    @property
    def is_live(self) -> bool:
        """Whether new entries appear without reloading."""
        return self.cleaned_data.get("live") != "no"

    def entries(self) -> QuerySet[AuditEntry]:
        """The matching entries, newest first."""
        return AuditEntry.objects.filter(**self.asked).order_by("-id")

    def query(self, **more: object) -> str:
        """The query string of a page with these filters."""
        return urlencode({**self.asked, **({} if self.is_live else {"live": "no"}), **more})


def recent_types() -> list[str]:
    """Types to suggest, from the latest entries only, so that the cost does not grow."""
    newest = AuditEntry.objects.order_by("-id").values_list("type", flat=True)[:RECENT]
    return sorted(set(newest))
