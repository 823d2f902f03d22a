import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from audit_service.audit.chains import Key
from audit_service.audit.checkpoints import BadCheckpoint, NoKey, opened, trusted_keys
from audit_service.audit.gaps import told
from audit_service.audit.models import Checkpoint
from audit_service.audit.verification import Chain, Signed, Verification
from common.command_line import console, moment, progress


def chain_name(text: str) -> Key:
    """A topic partition, such as ``product.events/3``."""
    topic, slash, partition = text.rpartition("/")
    if not slash or not topic or not partition.isdecimal():
        raise ArgumentTypeError("must be topic/partition, such as product.events/3")
    return topic, int(partition)


class Command(BaseCommand):
    help = (
        "Verify the chains of the record: that no entry was changed, removed, inserted or moved, "
        "and that they go on from what was signed. Exits with 1 when one does not hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=moment, help="recorded since, ISO 8601; what is older is believed"
        )
        parser.add_argument(
            "--partition", type=chain_name, help="only this one, such as product.events/3"
        )
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            type=Path,
            help="a file that the chains must go on from, beside those stored; may be repeated",
        )

    def handle(
        self, *, since: datetime | None, partition: Key | None, checkpoint: list[Path], **_: Any
    ) -> None:
        signed, doubts = self._signed(checkpoint)
        verification = Verification(since, partition, signed)
        with progress() as bars:
            bar = bars.add_task("", total=verification.count())
            chains = verification.run(lambda number: bars.advance(bar, number))
        if partition and not chains:
            raise CommandError("Nothing is recorded of {}/{}".format(*partition))
        self._show(chains)
        for line in told(partition):
            self.stdout.write(line)
        broken = [chain for chain in chains if chain.broken]
        for doubt in doubts:
            self.stderr.write(self.style.ERROR(doubt))
        if broken or doubts:
            sys.exit(1)

    def _signed(self, files: list[Path]) -> tuple[Signed, list[str]]:
        """What stored and given checkpoints vouch for, and which of them are none."""
        envelopes = {str(c): c.envelope.encode() for c in Checkpoint.objects.order_by("created_at")}
        try:
            envelopes |= {str(path): path.read_bytes() for path in files}
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        if not envelopes:
            return {}, []
        try:
            trusted = trusted_keys()
        except NoKey as error:
            raise CommandError(str(error)) from error
        signed: Signed = {}
        doubts = []
        for name, envelope in envelopes.items():
            try:
                for end in opened(envelope, trusted).chains:
                    signed.setdefault(end.key, {})[end.position] = bytes.fromhex(end.link)
            except (BadCheckpoint, ValueError) as error:
                doubts.append(f"Checkpoint {name}: {error}")
        return signed, doubts

    def _show(self, chains: list[Chain]) -> None:
        if not chains:
            self.stdout.write("Nothing is recorded yet.")
            return
        table = Table("partition", "verified", "result")
        table.columns[1].justify = "right"
        for chain in chains:
            name = "{}/{}".format(*chain.key)
            table.add_row(name, f"{chain.verified:,}", result(chain))
        console(self.stdout).print(table)
        total = sum(chain.verified for chain in chains)
        broken = sum(chain.broken is not None for chain in chains)
        state = f"{broken} of {len(chains)} chains are broken" if broken else "every chain holds"
        self.stdout.write(f"{total:,} entries verified; {state}.")


def result(chain: Chain) -> str:
    """What was found, in words."""
    if chain.broken is None:
        return "whole"
    entry = f", entry {chain.broken.entry_id}" if chain.broken.entry_id else ""
    return f"{chain.broken.how} at {chain.broken.position:,}{entry}"
