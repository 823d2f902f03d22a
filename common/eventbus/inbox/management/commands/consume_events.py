import argparse
import atexit
import logging
import os
import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import autoreload
from kafka.errors import KafkaError

from eventbus.conf import bus_settings
from eventbus.database.alias import bus_connection
from eventbus.inbox.checks import too_many_workers
from eventbus.inbox.running.stream import Stream
from eventbus.inbox.running.worker import Limits, Worker
from eventbus.inbox.taking.subscriptions import (
    apps_with_handlers,
    consumed_topics,
    subscriptions,
)
from eventbus.kafka.clients import consumer
from eventbus.kafka.connecting import KafkaRefused, KafkaUnavailable
from eventbus.kafka.reading import UnreadableRecord
from eventbus.kafka.topics import missing_topics
from eventbus.running import lifeline, terminal
from eventbus.running.command_line import positive, words
from eventbus.running.lifecycle import (
    OUT_OF_MEMORY,
    REFUSED,
    missing_migrations,
    stop_on_signals,
    wait_until_ready,
)
from eventbus.running.supervisor import Supervisor

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LEAVE_SECONDS = 5.0
HOW_TO_GO_ON = (
    "Nothing behind it is handled until it can be read. Start again first, as a transfer may have "
    "been at fault; to give it up, stop this group's workers and set its offset behind the record"
)


class Command(BaseCommand):
    help = "Consume events and run this project's handlers until stopped by SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "-c",
            "--concurrency",
            type=positive,
            metavar="N",
            help="worker processes; one that dies is restarted (default: CONSUMER_CONCURRENCY)",
        )
        parser.add_argument(
            "--batch-size",
            type=positive,
            default=500,
            metavar="N",
            help="messages per transaction (default: %(default)s)",
        )
        parser.add_argument(
            "--topics",
            type=words,
            metavar="A,B",
            help="topics to read instead of those of the handlers",
        )
        parser.add_argument(
            "--group",
            help="consumer group, which has its own offsets, inbox and parked events "
            "(default: CONSUMER_GROUP)",
        )
        parser.add_argument("--drain", action="store_true", help="exit when caught up")
        parser.add_argument(
            "--max-events", type=positive, metavar="N", help="exit after N messages (per process)"
        )
        parser.add_argument(
            "--max-memory-per-child",
            type=positive,
            metavar="KIB",
            help="replace a process that has used more memory than this, after its batch",
        )
        parser.add_argument(
            "-l", "--loglevel", type=str.upper, choices=LEVELS, help="override LOG_LEVEL"
        )
        parser.add_argument(
            "--reload", action="store_true", help="restart when code changes (for development)"
        )
        parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        options["group"] = options["group"] or bus_settings().group
        options["concurrency"] = options["concurrency"] or bus_settings().consumer_concurrency
        topics = options["topics"] or consumed_topics()
        if not topics or not subscriptions:
            raise CommandError("No handlers: define one with @subscribe in an app's handlers.py")
        concurrency: int = options["concurrency"]
        if problem := too_many_workers(concurrency):
            raise CommandError(problem, returncode=REFUSED)
        if level := options["loglevel"]:
            logging.getLogger().setLevel(level)
        supervise = concurrency > 1 or options["max_memory_per_child"]
        if options["supervised"]:
            self._consume(topics, options, stop_on_signals())
        elif options["reload"]:
            if supervise:
                raise CommandError(
                    "--reload runs a single process: omit --concurrency and --max-memory-per-child"
                )
            self._reload(topics, options)
        elif supervise:
            self._banner(topics, options)
            self._supervise(options)
        else:
            self._banner(topics, options)
            self._consume(topics, options, stop_on_signals())

    def _consume(self, topics: list[str], options: dict[str, Any], stop: threading.Event) -> None:
        """Run as one worker."""
        group = options["group"]
        limits = Limits(options["drain"], options["max_events"], options["max_memory_per_child"])
        try:
            if not wait_until_ready(lambda: what_is_missing(topics), stop):
                return
            stream = Stream(consumer(group), stop)
            worker = Worker(stream, group, topics, stop, options["batch_size"], limits)
            worker.run()
        except KafkaUnavailable as error:
            raise CommandError(str(error)) from error
        except KafkaRefused as error:
            raise CommandError(str(error), returncode=REFUSED) from error
        except UnreadableRecord as error:
            raise CommandError(f"{error}. {HOW_TO_GO_ON}") from error
        except KafkaError as error:
            raise CommandError(f"Kafka refused the request: {error}", returncode=REFUSED) from error
        self.stdout.write(f"Stopped: {worker.tally}.")
        if worker.used_too_much_memory and not stop.is_set():
            sys.exit(OUT_OF_MEMORY)

    def _supervise(self, options: dict[str, Any]) -> None:
        """Run several workers."""
        command = [*autoreload.get_child_arguments(), "--concurrency=1", "--supervised"]
        ends = options["drain"] or options["max_events"] is not None
        supervisor = Supervisor(command, options["concurrency"], ends_by_itself=ends)
        stop = stop_on_signals(cold=supervisor.kill)
        if code := supervisor.run(stop):
            sys.exit(code)

    def _reload(self, topics: list[str], options: dict[str, Any]) -> None:
        """Run as one worker that restarts after its batch when a file changes."""
        stop = threading.Event()

        def consume() -> None:
            atexit.register(leave, threading.current_thread())
            self._banner(topics, options)
            try:
                self._consume(topics, options, stop)
            except CommandError as error:
                self.stderr.write(f"{error}\nWaiting for the code to change.")

        def leave(worker: threading.Thread) -> None:
            for number in (signal.SIGHUP, signal.SIGTERM):  # already leaving, which takes a moment
                signal.signal(number, signal.SIG_IGN)
            stop.set()
            worker.join(LEAVE_SECONDS)

        if os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) == "true":
            lifeline.end_with_parent()
            terminal.when_it_closes(lambda: signal.raise_signal(signal.SIGTERM))
        autoreload.run_with_reloader(consume)

    def _banner(self, topics: list[str], options: dict[str, Any]) -> None:
        database = bus_connection()
        lines = [
            f"consume_events of {bus_settings().service_name}",
            f"  group        {options['group']}",
            f"  topics       {', '.join(topics)}",
            f"  broker       {', '.join(bus_settings().kafka['bootstrap_servers'])}",
            f"  database     {database.vendor} {database.settings_dict['NAME']}",
            f"  concurrency  {options['concurrency']}, {options['batch_size']} messages per batch",
            *(f"  handler      {subscription}" for subscription in subscriptions),
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def what_is_missing(topics: list[str]) -> str:
    """What a worker still lacks: its tables, those of its handlers, a broker, or topics."""
    return missing_migrations(["eventbus_inbox", *apps_with_handlers()]) or missing_topics(topics)
