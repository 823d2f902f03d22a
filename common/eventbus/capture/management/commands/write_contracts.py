from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus.capture.contracts.comparing import differences
from eventbus.capture.contracts.files import ContractsFile, NoPackage, contracts_file
from eventbus.capture.publication import Publication
from eventbus.capture.registry import publications, published_event
from eventbus.checks import TAG


class Command(BaseCommand):
    help = (
        "Write the contract classes of published models into modules that are reviewed, committed "
        "and installed by consumers. Modules written by hand are compared, and never changed."
    )
    requires_system_checks = [TAG]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "events", nargs="*", metavar="EVENT", help="events such as stock (default: all)"
        )
        parser.add_argument(
            "--package", metavar="MODULE", help="the package that new modules are written into"
        )
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit with 1 if anything differs"
        )

    def handle(self, *, events: list[str], package: str | None, check: bool, **_: Any) -> None:
        differ = [
            publication
            for publication in _chosen(events)
            if not self._is_settled(publication, package, check)
        ]
        if differ:
            names = ", ".join(publication.event for publication in differ)
            raise CommandError(f"Contracts differ from the published models: {names}")

    def _is_settled(self, publication: Publication, package: str | None, check: bool) -> bool:
        file = _file(publication, package)
        if not file.is_ours:
            return self._compare(publication, file)
        if file.is_current:
            self.stdout.write(f"{publication.event}: {file.path} is up to date")
            return True
        if check:
            self.stdout.write(f"{publication.event}: {file.path} would be written")
            return False
        file.write()
        self.stdout.write(f"{publication.event}: {file.path} written. Review and commit it")
        return True

    def _compare(self, publication: Publication, file: ContractsFile) -> bool:
        found = list(differences(publication))
        verdict = "differs from the model" if found else "fits the model"
        self.stdout.write(f"{publication.event}: {file.path} was written by hand and {verdict}")
        for difference in found:
            self.stdout.write(f"  {difference}")
        return not found


def _chosen(events: list[str]) -> list[Publication]:
    try:
        return [published_event(event) for event in events] if events else _all()
    except LookupError as error:
        raise CommandError(str(error)) from None


def _all() -> list[Publication]:
    return publications() or [published_event("")]


def _file(publication: Publication, package: str | None) -> ContractsFile:
    try:
        return contracts_file(publication, package)
    except NoPackage as error:
        raise CommandError(str(error)) from error
