"""One name means one thing: no two classes or types in the tree share a name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("audit_service", "common", "demo", "notification_service", "product_service")
NOT_SHIPPED = {"tests", "migrations"}
SAME = {
    "Command": "Django finds management commands by this name",
    "Product": "a product: in events, in its owner's database, and as a consumer's replica",
    "ProductAdmin": "the admin page of either product",
}
"""Names that are used more than once for the same thing, and why."""


def test_no_name_means_two_things() -> None:
    """An alias may be defined again if it stands for the same, such as ``View``."""
    meanings: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        for name, meaning in definitions(ast.parse(path.read_text())):
            meanings[name].add(meaning or str(path))
    twice = {name: sorted(found) for name, found in meanings.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in SAME} == {}
    assert twice.keys() >= SAME.keys()  # no obsolete exceptions


def test_no_package_has_a_module_of_its_own_name() -> None:
    assert [path for path in modules() if path.stem == path.parent.name] == []


def modules() -> Iterator[Path]:
    found = (path for name in PACKAGES for path in (ROOT / name).glob("**/*.py"))
    return (path for path in found if NOT_SHIPPED.isdisjoint(path.relative_to(ROOT).parts))


def definitions(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The classes and type aliases of a module, with what an alias stands for."""
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, meaning = node.targets[0].id, ast.unparse(node.value)
            is_nested = isinstance(node.value, ast.Attribute)  # State = Delivery.State
            if name[0].isupper() and not name.isupper() and not is_nested:
                yield name, meaning
