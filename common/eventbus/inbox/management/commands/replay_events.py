import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table

from eventbus.inbox.running.replay import Replay
from eventbus.inbox.taking.subscriptions import HandlerSubscription, consumed_topics, subscriptions
from eventbus.kafka.connecting import KafkaRefused, KafkaUnavailable
from eventbus.kafka.history import History, history
from eventbus.running.command_line import console, moment, progress
from eventbus.running.lifecycle import stop_on_signals

BATCH = 500


class Command(BaseCommand):
    help = (
        "Run handlers again on events that Kafka still has, with event.replayed set. The "
        "inbox, parked events and the workers' offsets stay unchanged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        start = parser.add_mutually_exclusive_group(required=True)
        start.add_argument(
            "--since", type=moment, help="start at this time (ISO 8601, such as 2026-11-01T00:00Z)"
        )
        start.add_argument(
            "--from-beginning",
            action="store_true",
            help="start at the first message that Kafka still has",
        )
        parser.add_argument(
            "--type", action="append", default=[], help="event type; may be repeated"
        )
        parser.add_argument(
            "--subject", action="append", default=[], help="event subject; may be repeated"
        )
        parser.add_argument(
            "--handler",
            action="append",
            default=[],
            help="dotted name, as shown by consume_events; may be repeated (default: all)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count the events")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="do not ask for confirmation",
        )

    def handle(self, *, since: datetime | None, dry_run: bool, **options: Any) -> None:
        handlers = chosen(options["handler"])
        topics = consumed_topics()
        stop = stop_on_signals()
        replay = Replay(handlers, options["type"], options["subject"], stop)
        try:
            with history(topics, since) as found:
                self._describe(replay, found.count)
                if not dry_run and options["interactive"]:
                    confirm()
                self._run(replay, found, dry_run=dry_run)
                lost = found.lost
        except (KafkaUnavailable, KafkaRefused) as error:
            raise CommandError(str(error)) from error
        self._summary(replay, dry_run=dry_run)
        if lost:
            self.stderr.write(
                self.style.ERROR(f"{lost:,} messages were deleted by Kafka before they were read.")
            )
        if stop.is_set():
            raise CommandError("Stopped early. Run the command again: replaying twice is safe.")
        if replay.failed or lost:
            sys.exit(1)

    def _describe(self, replay: Replay, count: int) -> None:
        self.stdout.write(f"{count:,} messages to read, for")
        for handler in replay.handlers:
            self.stdout.write(f"  {handler}")
        for name, words in (("type", replay.types), ("subject", replay.subjects)):
            if words:
                self.stdout.write(f"  only {name} {', '.join(words)}")
        self.stdout.flush()

    def _run(self, replay: Replay, found: History, *, dry_run: bool) -> None:
        with progress() as bars:
            bar = bars.add_task("", total=found.count)
            for records in found.batches(BATCH):
                replay.take(records, dry_run=dry_run)
                bars.advance(bar, len(records))
                if replay.stop.is_set():
                    break

    def _summary(self, replay: Replay, *, dry_run: bool) -> None:
        table = Table("type", "would be replayed" if dry_run else "replayed")
        table.columns[1].justify = "right"
        for event_type, count in sorted(replay.replayed.items()):
            table.add_row(event_type, f"{count:,}")
        if replay.replayed:
            console(self.stdout).print(table)
        total = replay.replayed.total()
        done = "would be replayed" if dry_run else "replayed"
        others = f"{replay.passed_over:,} skipped, {replay.failed:,} failed"
        self.stdout.write(f"{total:,} events {done}, {others}.")


def chosen(names: list[str]) -> list[HandlerSubscription]:
    """The handlers with these names, or all handlers if none is given."""
    known = {subscription.name: subscription for subscription in subscriptions}
    if not known:
        raise CommandError("No handlers: define one with @subscribe in an app's handlers.py")
    if unknown := set(names).difference(known):
        raise CommandError(f"No handler {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return [known[name] for name in names or known]


def confirm() -> None:
    """Ask for confirmation, as Django's commands do."""
    try:
        answer = input("Type 'yes' to continue, or 'no' to cancel: ")
    except EOFError:
        raise CommandError("No terminal to confirm on; use --noinput to skip the prompt") from None
    if answer != "yes":
        raise CommandError("Cancelled.")
