import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.table import Table

from eventbus.capture.trigger.verifying import trigger_problems, trigger_publications
from eventbus.database.alias import bus_connection
from eventbus.running.command_line import console


class Command(BaseCommand):
    help = (
        "Compare the triggers in the database with what is declared to be published by them. "
        "Exits with 1 when one is missing, disabled or stale."
    )

    def handle(self, **options: Any) -> None:
        try:
            problems = trigger_problems(bus_connection())
        except DatabaseError as error:
            raise CommandError(f"The database cannot be asked: {error}") from error
        if not problems:
            count = len(trigger_publications())
            models = "1 model is" if count == 1 else f"{count} models are"
            self.stdout.write(f"{models} published by triggers, as declared.")
            return
        table = Table("event", "table", "problem", "what to do")
        for problem in problems:
            table.add_row(*problem)
        console(self.stdout).print(table)
        sys.exit(1)
