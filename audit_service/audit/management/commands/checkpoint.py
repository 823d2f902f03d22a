from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit_service.audit.checkpoints import (
    BadCheckpoint,
    End,
    NoKey,
    Statement,
    opened,
    sign,
    signing_key,
    trusted_keys,
)
from audit_service.audit.models import Checkpoint
from audit_service.audit.verification import Chain, Verification
from common.command_line import progress

OVERLAP = timedelta(hours=1)
"""What was being recorded while the last one was signed is longer ago than it seems."""


class Command(BaseCommand):
    help = (
        "Sign where the chains stand now. What was recorded since the last checkpoint is verified "
        "before; a chain that does not hold is not signed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--output", type=Path, help="export it to this file, to be kept elsewhere"
        )

    def handle(self, *, output: Path | None, **options: Any) -> None:
        now = timezone.now()
        try:
            key = signing_key()
        except NoKey as error:
            raise CommandError(str(error)) from error
        verification = since_last_checkpoint()
        with progress() as bars:
            bar = bars.add_task("", total=verification.count())
            chains = verification.run(lambda number: bars.advance(bar, number))
        if broken := [chain for chain in chains if chain.broken]:
            names = ", ".join("{}/{}".format(*chain.key) for chain in broken)
            raise CommandError(f"Not signed: {names} does not hold; `verify` says more")
        if not chains:
            raise CommandError("Nothing is recorded yet")
        envelope = sign(Statement(now, [end(chain) for chain in chains]), key)
        stored = Checkpoint(created_at=now, envelope=envelope.decode())
        if output:
            try:
                output.write_bytes(envelope + b"\n")
            except OSError as error:
                raise CommandError(f"{output}: {error.strerror}") from error
            stored.exported_at = now
        stored.save()
        total = sum(chain.position for chain in chains)
        where = f"; exported to {output}" if output else ""
        self.stdout.write(f"{len(chains)} chains signed, {total:,} entries{where}.")


def since_last_checkpoint() -> Verification:
    """Of what was recorded since the last one, and whether it goes on from there."""
    last = Checkpoint.objects.first()
    if last is None:
        return Verification(None, None, {})
    try:
        statement = opened(last.envelope.encode(), trusted_keys())
    except (BadCheckpoint, NoKey) as error:
        raise CommandError(f"Checkpoint {last}: {error}") from error
    signed = {end.key: {end.position: bytes.fromhex(end.link)} for end in statement.chains}
    return Verification(last.created_at - OVERLAP, None, signed)


def end(chain: Chain) -> End:
    """Where a verified chain stands."""
    topic, partition = chain.key
    return End(topic, partition, chain.position, chain.link.hex())
