from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit_service.audit.models import Checkpoint
from audit_service.audit.proof.checkpoints import (
    End,
    NoKey,
    Statement,
    sign,
    signing_key,
    trusted_keys,
)
from audit_service.audit.proof.statements import Statements, stored
from audit_service.audit.proof.verification import Chain, Verification
from eventbus.running.command_line import progress


class Command(BaseCommand):
    help = (
        "Sign the current heads of the chains. Before that, compare the chains with everything "
        "that was ever signed about them, and verify entries recorded since. If a chain is "
        "broken, sign nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--output",
            type=Path,
            help="also write it to this new file, to be stored elsewhere; must not exist",
        )

    def handle(self, *, output: Path | None, **options: Any) -> None:
        if output and output.exists():
            raise CommandError(
                f"Not signed: {output} exists; choose a new file for each checkpoint"
            )
        now = timezone.now()
        try:
            key = signing_key()
            statements = Statements(stored(), trusted_keys())
        except NoKey as error:
            raise CommandError(str(error)) from error
        chains = verified(statements)
        envelope = sign(Statement(now, [end(chain) for chain in chains]), key)
        kept = Checkpoint.objects.create(created_at=now, envelope=envelope.decode())
        if output:
            export(kept, output)
        total = sum(chain.position for chain in chains)
        where = f", exported to {output}" if output else ""
        self.stdout.write(f"Signed {total:,} entries (chains: {len(chains)}){where}.")


def verified(statements: Statements) -> list[Chain]:
    """Return all chains after verifying that each agrees with everything signed about it.

    :raises CommandError: if one does not. The message names the chain and the position.
    """
    if problems := statements.problems():
        raise CommandError(f"Not signed: {'; '.join(problems)}")
    verification = Verification(None, None, statements.signed, from_signed=True)
    with progress() as bars:
        bar = bars.add_task("", total=verification.count())
        chains = verification.run(lambda number: bars.advance(bar, number))
    broken = ["{}/{} is broken ({})".format(*c.key, c.broken) for c in chains if c.broken]
    if broken:
        raise CommandError(f"Not signed: {'; '.join(broken)}; run `verify` for details")
    if not chains:
        raise CommandError("Not signed: nothing has been recorded yet")
    return chains


def export(checkpoint: Checkpoint, output: Path) -> None:
    """Write a stored checkpoint to a file, so that later runs are compared with every export."""
    try:
        with output.open("xb") as file:
            file.write(checkpoint.envelope.encode() + b"\n")
    except OSError as error:
        raise CommandError(f"Signed, but not exported: {output}: {error.strerror}") from error
    checkpoint.exported_at = timezone.now()
    checkpoint.save(update_fields=["exported_at"])


def end(chain: Chain) -> End:
    """The end of a verified chain."""
    topic, partition = chain.key
    return End(topic, partition, chain.position, chain.link.hex())
