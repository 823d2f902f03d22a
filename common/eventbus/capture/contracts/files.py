"""Where the contracts modules of published models are."""

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from eventbus.capture.contracts.writing import FIRST_LINE, source
from eventbus.capture.publication import VERBS, Publication
from eventbus.conf import bus_settings
from eventbus.events.contract import contract_of


class NoPackage(Exception):
    """There is no package to write a new contracts module into; the text says what to do."""


class ContractsFile(NamedTuple):
    """The module of one publication, as it is and as it should be."""

    path: Path
    wanted: str

    @property
    def is_current(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.wanted

    @property
    def is_ours(self) -> bool:
        """Whether it may be written: it is new, or was written by the command."""
        return not self.path.exists() or self.path.read_text().startswith(FIRST_LINE)

    def write(self) -> None:
        """Write it, and the package that it is in."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        package = self.path.parent / "__init__.py"
        if not package.exists():
            package.write_text('"""The events that this project publishes."""\n')
        self.path.write_text(self.wanted)


def contracts_file(publication: Publication, package: str | None) -> ContractsFile:
    """The file of a publication's contracts: where they are, or where they are to be.

    :param package: for new ones; None takes the only entry of ``PUBLISHES`` that is a package, or
        can become one.
    :raises NoPackage: when it is not clear which.
    """
    for verb in VERBS:
        contract = contract_of(f"{publication.event}.{verb}")
        if contract is not None:
            return ContractsFile(Path(inspect.getfile(contract)), source(publication))
    directory = _directory(package or _only_package())
    return ContractsFile(directory / f"{publication.event}.py", source(publication))


def _only_package() -> str:
    packages = [name for name in bus_settings().publishes if _is_package(name)]
    if len(packages) == 1:
        return packages[0]
    if packages:
        raise NoPackage(f"Say which package to write into: --package {packages[0]}")
    raise NoPackage(
        "EVENTBUS['PUBLISHES'] names no package to write into. Name one, such as "
        "'shop.contracts', where shop is an app of this project and shop/contracts.py is no file"
    )


def _is_package(name: str) -> bool:
    """Whether a package is there, or nothing yet."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return False
    return spec is None or spec.submodule_search_locations is not None


def _directory(package: str) -> Path:
    parent, _, name = package.rpartition(".")
    found = find_spec(package)
    if found is not None and found.submodule_search_locations:
        return Path(found.submodule_search_locations[0])
    above = find_spec(parent) if parent else None
    if found is not None or above is None or not above.submodule_search_locations:
        raise NoPackage(f"{package} is no package, and cannot become one")
    return Path(above.submodule_search_locations[0]) / name
