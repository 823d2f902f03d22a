"""Forgetting old months, once signed checkpoints outside the database vouch for them."""

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
    """No exported checkpoint vouches for what would be forgotten. The text says of which chain."""


@dataclass(frozen=True)
class Pruned:
    """What was forgotten, or would be."""

    months: int
    entries: int


def prune(before: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete what was recorded before a month, and let the chains begin behind it.

    The chains are verified before, and compared with everything that was ever signed about them,
    exported or not: nobody could do it afterwards.

    :param before: the first moment of the first month that stays, in UTC.
    :raises NotCovered: when a chain does not hold or is not vouched for, or when the checkpoints
        cannot all be believed; then nothing is deleted.
    :raises NoKey: without a key to check the checkpoints with.
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
                    f"No exported checkpoint reaches entry {last.position:,} of"
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
    """What exported checkpoints vouch for, once the record is found to agree with all of them."""
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
            raise NotCovered(f"{name} does not hold; `verify` says more. Nothing was deleted")


def _months(before: datetime) -> list[datetime]:
    """The months that have entries, from the first on."""
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
