import getpass
import sys
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from eventbus.inbox.models import ParkedEvent, ParkedKey
from eventbus.inbox.parking import decisions, retrying
from eventbus.inbox.parking.overview import abandoned, is_abandoned, waiting_keys
from eventbus.inbox.parking.payload import pretty
from eventbus.running.command_line import console

NOTHING = "Nothing is parked."


class Command(BaseCommand):
    help = "Show parked events, and retry or discard them."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        show_all = commands.add_parser("list", help="list the keys with parked events")
        show_all.add_argument(
            "--dead", action="store_true", help="only dead keys, which need a decision"
        )
        show_all.add_argument("--json", action="store_true", help="print JSON")
        show = commands.add_parser(
            "show", help="show one event: error, traceback, message, decisions"
        )
        show.add_argument("id", type=int)
        retry = commands.add_parser(
            "retry",
            help="retry events now, in this process; exits with 1 if some are still parked",
        )
        retry.add_argument("id", type=int, nargs="*", help="ids of parked events")
        retry.add_argument("--all", action="store_true", help="all keys")
        discard = commands.add_parser("discard", help="give up on events")
        discard.add_argument("id", type=int, nargs="+", help="ids of parked events")
        discard.add_argument(
            "--release", action="store_true", help="retry the events behind them immediately"
        )
        for deciding, needed in ((retry, False), (discard, True)):
            deciding.add_argument(
                "--reason", required=needed, default="", help="the reason, which is stored"
            )
            deciding.add_argument(
                "--by", default=user(), help="who made the decision (default: %(default)s)"
            )

    def handle(self, *, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(**options)
        except (decisions.NotOpen, decisions.HandlerGone, ValueError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database: {' '.join(str(error).split())}") from error

    def _list(self, *, dead: bool, json: bool, **_: Any) -> None:
        keys = waiting_keys().order_by(F("next_try_at").asc(nulls_first=True), "id")
        if dead:
            keys = keys.filter(state=ParkedKey.State.DEAD)
        if json:
            self.stdout.write(msgspec.json.encode(list(keys.values(*COLUMNS))).decode())
        elif not keys:
            self.stdout.write(NOTHING)
        else:
            self._print(_table(keys))

    def _show(self, *, id: int, **_: Any) -> None:
        event = ParkedEvent.objects.select_related("parked_key").filter(pk=id).first()
        if event is None:
            raise CommandError(f"There is no parked event {id}; `parked list` shows all")
        self._print(_facts(event))
        self._print(Panel(Syntax(pretty(event.value), "json", word_wrap=True), title="message"))
        if event.traceback:
            self._print(Panel(event.traceback.rstrip(), title="traceback"))

    def _retry(self, *, id: list[int], all: bool, by: str, reason: str, **_: Any) -> None:
        if bool(id) == all:
            raise CommandError("Give the ids of the events to retry, or --all")
        handled = 0
        for event in self._heads() if all else id:
            handled += retrying.run_out(decisions.retry_now(event, by, reason))
        still = ParkedEvent.objects.filter(state__in=ParkedEvent.OPEN).count()
        self.stdout.write(f"{handled} handled, {still} still parked.")
        if still:
            sys.exit(1)

    def _heads(self) -> list[int]:
        """The first events of all lines that can be retried."""
        lines = waiting_keys()
        for line in lines.filter(pk__in=abandoned().values("pk")):
            self.stderr.write(f"Not retried: {line.waiting:,} events, {line}. {GONE}.")
        tried = lines.exclude(pk__in=abandoned().values("pk"))
        return [head for head in tried.values_list("head", flat=True) if head]

    def _discard(self, *, id: list[int], release: bool, by: str, reason: str, **_: Any) -> None:
        for event in id:
            decisions.discard(event, by, reason, release=release)
            self.stdout.write(f"Parked event {event} discarded.")

    def _print(self, what: Any) -> None:
        console(self.stdout).print(what)


GONE = "Handler not found"
COLUMNS = (
    "head",
    "topic",
    "key",
    "handler",
    "state",
    "waiting",
    "attempts",
    "next_try_at",
    "since",
    "error",
)


def _table(keys: QuerySet[Any]) -> Table:
    table = Table(title=f"Parked events: {sum(key.waiting for key in keys):,}", expand=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("key", overflow="fold", max_width=20)
    has_own_lines = any(key.handler for key in keys)
    if has_own_lines:
        table.add_column("only for", overflow="fold", max_width=20)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("for", no_wrap=True)
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("next try", no_wrap=True)
    table.add_column("error", ratio=1, no_wrap=True)
    for key in keys:
        waits = timesince(key.since, depth=1) if key.since else ""
        own = (key.handler.rpartition(".")[2],) if has_own_lines else ()
        row = (str(key.head), key.shown_key, *own, f"{key.waiting:,}", waits, str(key.attempts))
        error = " ".join((key.error or "").split()) or "not retried yet"
        table.add_row(*row, _next_try(key), error)
    return table


def _next_try(key: ParkedKey) -> str | Text:
    if is_abandoned(key):
        return Text("handler not found", "bold red")
    if key.next_try_at is None:
        return Text("needs a decision", "bold red")
    if key.next_try_at <= timezone.now():
        return "now"
    return f"in {timeuntil(key.next_try_at, depth=1)}"


def _facts(event: ParkedEvent) -> Table:
    facts = {
        "event": f"{event.type or 'unreadable'} {event.event_id}",
        "key": event.parked_key.shown_key,
        "waits for": _waits_for(event.parked_key),
        "in Kafka": event.place,
        "state": event.get_state_display(),
        "parked at": f"{event.parked_at:%Y-%m-%d %H:%M:%S %Z}",
        "tries": str(event.attempts),
        "next try": _next_try(event.parked_key) if event.state == "failed" else "",
        "handler": event.handler,
        "error": event.error,
    }
    table = Table(title=f"Parked event {event.pk}", show_header=False)
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    for decision in event.decisions.all():
        why = f": {decision.reason}" if decision.reason else ""
        table.add_row("decision", f"{decision.at:%Y-%m-%d %H:%M} {decision}{why}")
    return table


def _waits_for(key: ParkedKey) -> str:
    if not key.handler:
        return ""
    return f"only {key.handler}{f'. {GONE}' if is_abandoned(key) else ''}"


def user() -> str:
    """The user of the shell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "somebody"
