import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from audit_service.audit.proof.checkpoints import NoKey, trusted_keys
from audit_service.audit.proof.statements import Statements, stored
from audit_service.audit.proof.verification import Chain, Verification
from audit_service.audit.reading.gaps import told
from audit_service.audit.record.sealed import Key
from eventbus.running.command_line import console, moment, progress


def chain_name(text: str) -> Key:
    """Parse the name of a topic partition, such as ``product.events/3``."""
    topic, slash, partition = text.rpartition("/")
    if not slash or not topic or not partition.isdecimal():
        raise ArgumentTypeError("must be topic/partition, such as product.events/3")
    return topic, int(partition)


class Command(BaseCommand):
    help = (
        "Verify the chains of the record: that no entry was changed, removed, inserted or moved, "
        "and that they agree with every signed checkpoint. Exits with 1 if a chain is broken, "
        "or if two checkpoints contradict each other."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=moment,
            help="only entries recorded at or after this time (ISO 8601); older ones are trusted",
        )
        parser.add_argument(
            "--partition", type=chain_name, help="only this partition, such as product.events/3"
        )
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            type=Path,
            help="exported checkpoint to compare with, in addition to the stored ones; repeatable",
        )

    def handle(
        self, *, since: datetime | None, partition: Key | None, checkpoint: list[Path], **_: Any
    ) -> None:
        statements = read(checkpoint)
        verification = Verification(since, partition, statements.signed)
        with progress() as bars:
            bar = bars.add_task("", total=verification.count())
            chains = verification.run(lambda number: bars.advance(bar, number))
        if partition and not chains:
            raise CommandError("No entries for {}/{}".format(*partition))
        self._show(chains)
        for line in told(partition):
            self.stdout.write(line)
        broken = [chain for chain in chains if chain.broken]
        problems = statements.problems(partition)
        for problem in problems:
            self.stderr.write(self.style.ERROR(problem))
        if broken or problems:
            sys.exit(1)

    def _show(self, chains: list[Chain]) -> None:
        if not chains:
            self.stdout.write("Nothing has been recorded yet.")
            return
        table = Table("partition", "verified", "result")
        table.columns[1].justify = "right"
        for chain in chains:
            name = "{}/{}".format(*chain.key)
            table.add_row(name, f"{chain.verified:,}", str(chain.broken or "intact"))
        console(self.stdout).print(table)
        total = sum(chain.verified for chain in chains)
        broken = sum(chain.broken is not None for chain in chains)
        state = (
            f"{broken} of {len(chains)} chains are broken" if broken else "all chains are intact"
        )
        self.stdout.write(f"{total:,} entries verified; {state}.")


def read(files: list[Path]) -> Statements:
    """Read the stored and the given checkpoints. If there are none, no key is needed."""
    try:
        given = [(str(path), path.read_bytes()) for path in files]
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    envelopes = [*stored(), *given]
    try:
        return Statements(envelopes, trusted_keys() if envelopes else [])
    except NoKey as error:
        raise CommandError(str(error)) from error
