"""The Python blocks of the documentation are valid, and their imports exist."""

import ast
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "common" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^ *```python[^\n]*\n(.*?)^ *```$", re.M | re.S)


def blocks() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for number, match in enumerate(BLOCK.finditer(document.read_text()), start=1):
            name = document.relative_to(ROOT)
            yield f"{name}:{number}", textwrap.dedent(match[1])


@pytest.mark.parametrize("source", [pytest.param(text, id=name) for name, text in blocks()])
def test_a_python_block_parses_and_its_imports_exist(source: str) -> None:
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)]
    for statement in imports:
        if statement.module and statement.module.split(".")[0] == "eventbus":
            module = importlib.import_module(statement.module)
            assert [name.name for name in statement.names if not hasattr(module, name.name)] == []


def test_there_are_blocks() -> None:
    assert len(list(blocks())) > 15
