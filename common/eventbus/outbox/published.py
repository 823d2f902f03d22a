"""What this project publishes: the contracts in the modules listed in ``PUBLISHES``."""

from importlib import import_module
from pkgutil import iter_modules

from eventbus.conf import bus_settings
from eventbus.events import Contract
from eventbus.events.contract import contracts


def published() -> list[type[Contract]]:
    """The contract classes that this project publishes, sorted by event type.

    Contracts that are only imported to be consumed are not included.

    :raises ImportError: if a listed module cannot be imported.
    """
    modules = bus_settings().publishes
    for name in modules:
        module = import_module(name)
        for inner in iter_modules(getattr(module, "__path__", ()), f"{name}."):
            import_module(inner.name)
    return [contract for contract in contracts() if is_published(contract)]


def is_published(contract: type[Contract]) -> bool:
    """Whether this project publishes a contract."""
    return any(is_within(contract, name) for name in bus_settings().publishes)


def is_within(contract: type[Contract], name: str) -> bool:
    """Whether an entry of ``PUBLISHES`` names a contract's module, or the package around it."""
    return name in (contract.__module__, contract.__module__.rpartition(".")[0])


def published_topics() -> list[str]:
    """The topics of the published contracts, sorted."""
    return sorted({contract.topic for contract in published()})
