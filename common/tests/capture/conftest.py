from collections.abc import Iterator

import pytest

from eventbus.capture import registry


@pytest.fixture
def own_publications(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test declares is there for its time alone, and nothing else is."""
    monkeypatch.setattr(registry, "_publications", {})


@pytest.fixture
def own_contracts() -> Iterator[None]:
    """The contract classes that the test defines are gone after it."""
    from eventbus.events import contract

    known = dict(contract._contracts)
    yield
    contract._contracts.clear()
    contract._contracts.update(known)
