import threading
import time
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model, QuerySet

from eventbus.capture.publication import Publication
from eventbus.capture.registry import published_event
from eventbus.capture.snapshotting.snapshots import publish_snapshots
from eventbus.database.alias import bus_alias
from eventbus.running.command_line import moment, positive, progress, words
from eventbus.running.lifecycle import stop_on_signals

BOOLEANS = {"true": True, "false": False}


class Command(BaseCommand):
    help = (
        "Publish the rows of a published model as they are, for consumers that start late, or "
        "after changes that were not captured. Writes may continue meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "event", nargs="?", default="", help="such as stock; may be left out if there is one"
        )
        parser.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="only rows that match, as in QuerySet.filter(): price__gt=10, is_active=true, "
            "id__in=1,2; may be repeated",
        )
        parser.add_argument("--ids", type=words, default=[], metavar="1,2", help="only these rows")
        parser.add_argument(
            "--since", type=moment, help="only rows changed since (ISO 8601), if it is known"
        )
        parser.add_argument("--after", metavar="KEY", help="continue after this primary key")
        parser.add_argument("--rate", type=positive, metavar="N", help="at most N rows per second")
        parser.add_argument(
            "--group", metavar="NAME", help="only this consumer group handles them (default: all)"
        )
        parser.add_argument(
            "--batch", type=positive, default=500, metavar="N", help="rows per transaction"
        )

    def handle(self, *, event: str, batch: int, **options: Any) -> None:
        publication = _publication(event)
        rows = _chosen(publication, options)
        after = _key(publication, options["after"])
        remaining = rows if after is None else rows.filter(pk__gt=after)
        stop = stop_on_signals()
        pace = Pace(options["rate"], stop)
        with progress() as bars:
            bar = bars.add_task("", total=remaining.count())
            for number, last in publish_snapshots(
                publication, rows, after, batch, group=options["group"]
            ):
                bars.advance(bar, number)
                pace.keep(number)
                if stop.is_set():
                    raise CommandError(
                        f"Stopped after {_counted(pace.total)}; continue with --after {last}"
                    )
        self.stdout.write(f"{_counted(pace.total)} published.")


def _counted(rows: int) -> str:
    return "1 snapshot" if rows == 1 else f"{rows:,} snapshots"


class Pace:
    """Counts rows, and waits where they come faster than allowed.

    :param rate: the most rows per second; None for as fast as it goes.
    """

    def __init__(self, rate: int | None, stop: threading.Event) -> None:
        self._rate = rate
        self._stop = stop
        self._began = time.monotonic()
        self.total = 0

    def keep(self, rows: int) -> None:
        """Count rows, and wait until so many are due."""
        self.total += rows
        if self._rate is not None:
            due = self._began + self.total / self._rate
            self._stop.wait(max(0.0, due - time.monotonic()))


def _publication(event: str) -> Publication:
    try:
        return published_event(event)
    except LookupError as error:
        raise CommandError(str(error)) from None


def _chosen(publication: Publication, options: dict[str, Any]) -> QuerySet[Model]:
    rows = publication.model._base_manager.using(bus_alias()).all()
    if options["since"]:
        if publication.touched is None:
            raise CommandError(
                f"--since: no column of {publication.model._meta.label} says when a row was "
                "changed (publish_model(touched=...)). Use --where"
            )
        rows = rows.filter(**{f"{publication.touched.name}__gte": options["since"]})
    lookups = [*options["where"]]
    if options["ids"]:
        lookups.append(f"pk__in={','.join(options['ids'])}")
    for lookup in lookups:
        rows = _filtered(rows, lookup)
    return rows


def _filtered(rows: QuerySet[Model], lookup: str) -> QuerySet[Model]:
    name, is_given, text = lookup.partition("=")
    value: Any = words(text) if name.endswith("__in") else BOOLEANS.get(text.lower(), text)
    if not is_given:
        raise CommandError(f"--where {lookup!r}: write FIELD=VALUE, such as price__gt=10")
    try:
        return rows.filter(**{name: value})
    except (FieldError, ValidationError, ValueError, TypeError) as error:
        raise CommandError(f"--where {lookup!r}: {' '.join(str(error).split())}") from None


def _key(publication: Publication, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return publication.model._meta.pk.to_python(text)
    except ValidationError as error:
        raise CommandError(f"--after {text!r}: {' '.join(error.messages)}") from None
