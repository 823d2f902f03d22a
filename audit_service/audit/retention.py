"""Deletes old months, once signed checkpoints outside the database cover them."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max, Min

from audit_service.audit.models import AuditEntry, ChainHead
from audit_service.audit.proof.checkpoints import trusted_keys
from audit_service.audit.proof.statements import Signed, Statements, stored
from audit_service.audit.proof.verification import Verification, of_chain
from audit_service.audit.record.months import forget, month_of, next_month


class NotCovered(Exception):
    """No exported checkpoint covers what would be deleted. The message names the chain."""


@dataclass(frozen=True)
class Pruned:
    """What was deleted, or would be."""

    months: int
    entries: int


def prune(before: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete the entries recorded before a month, and let the chains start after them.

    Before that, the chains are verified and compared with everything that was ever signed about
    them, exported or not, because that is impossible afterwards.

    :param before: the start of the first month to keep, in UTC.
    :raises NotCovered: if a chain is broken or not covered, or if a checkpoint is invalid or
        contradicts another. Nothing is deleted then.
    :raises NoKey: if there is no key to check the checkpoints with.
    """
    old = AuditEntry.objects.filter(recorded_at__lt=before)
    signed = _vouched_for() if old.exists() else {}
    with transaction.atomic():
        heads = list(ChainHead.objects.select_for_update().order_by("topic", "partition"))
        forgotten = 0
        for head in heads:
            key = (head.topic, head.partition)
            last = of_chain(old, key).order_by("-position").first()
            if last is None:
                continue
            if max(signed.get(key, {}), default=0) < last.position:
                raise NotCovered(
                    f"No exported checkpoint covers entry {last.position:,} of"
                    f" {head.topic}/{head.partition}: run `checkpoint --output FILE` first"
                )
            forgotten += last.position - head.pruned_position
            head.pruned_position, head.pruned_link = last.position, bytes(last.link)
        months = _months(before)
        if not dry_run:
            ChainHead.objects.bulk_update(heads, ["pruned_position", "pruned_link"])
            for month in months:
                forget(month)
    return Pruned(len(months), forgotten)


def _vouched_for() -> Signed:
    """Return what exported checkpoints cover, after verifying the record against all of them."""
    trusted = trusted_keys()
    statements = Statements(stored(), trusted)
    if problems := statements.problems():
        raise NotCovered(f"{'; '.join(problems)}. Nothing was deleted")
    exported = Statements(stored(exported_only=True), trusted).signed
    if exported:
        _verify(statements.signed)
    return exported


def _verify(signed: Signed) -> None:
    for chain in Verification(None, None, signed).run(lambda number: None):
        if chain.broken:
            name = "{}/{}".format(*chain.key)
            raise NotCovered(f"{name} is broken; run `verify` for details. Nothing was deleted")


def _months(before: datetime) -> list[datetime]:
    """The months that have entries, oldest first."""
    span = AuditEntry.objects.filter(recorded_at__lt=before).aggregate(
        first=Min("recorded_at"), last=Max("recorded_at")
    )
    months = []
    if span["first"]:
        month = month_of(span["first"])
        while month <= span["last"]:
            months.append(month)
            month = next_month(month)
    return months
