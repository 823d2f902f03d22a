"""Nothing outgrows a reader: a module can be read in one sitting, a folder be known by heart."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINES = 400
MODULES = 12
"""With ``__init__``."""

NOT_OURS = {"node_modules", "var"}
GROW = {"migrations", "tests"}
"""Folders that gain a module with each change of a table or each thing to test."""


def test_no_module_is_longer_than_400_lines() -> None:
    """Split it by what it is about."""
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_no_folder_has_more_than_a_dozen_modules() -> None:
    """Group its modules by what they are about; pyproject.toml holds a contract for each group."""
    sizes = Counter(path.parent for path in modules() if GROW.isdisjoint(path.parts))
    assert {str(folder): size for folder, size in sizes.items() if size > MODULES} == {}


def modules() -> Iterator[Path]:
    """All modules of the tree, hidden folders aside, as paths from its root."""
    for folder in ROOT.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            found = (path.relative_to(ROOT) for path in folder.rglob("*.py"))
            yield from (path for path in found if NOT_OURS.isdisjoint(path.parts))
