"""What this project publishes: the contracts in the modules listed in ``PUBLISHES``."""

from importlib import import_module

from eventbus.conf import bus_settings
from eventbus.events import Contract
from eventbus.events.contract import contracts


def published() -> list[type[Contract]]:
    """The contract classes that this project publishes, sorted by event type.

    Contracts that are only imported to be consumed are not included.

    :raises ImportError: if a listed module cannot be imported.
    """
    modules = bus_settings().publishes
    for module in modules:
        import_module(module)
    return [contract for contract in contracts() if is_published(contract)]


def is_published(contract: type[Contract]) -> bool:
    """Whether this project publishes a contract, that is, whether its module is listed."""
    return contract.__module__ in bus_settings().publishes


def published_topics() -> list[str]:
    """The topics of the published contracts, sorted."""
    return sorted({contract.topic for contract in published()})
