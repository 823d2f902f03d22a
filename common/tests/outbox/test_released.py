"""Comparing what is published with what was released, as CI of a project does."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from common.tests.conftest import called


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """The document of the last release: that of today."""
    path = tmp_path / "released.json"
    path.write_text(called("asyncapi"))
    return path


def change(path: Path, **schema: Any) -> None:
    document = json.loads(path.read_text())
    document["components"]["schemas"]["ProductCreated"]["properties"].update(schema)
    path.write_text(json.dumps(document))


def test_what_is_the_same_or_has_more_is_compatible(released: Path) -> None:
    assert called("asyncapi", f"--released={released}") == f"Compatible with {released}\n"


def test_a_field_that_consumers_know_must_stay(released: Path) -> None:
    change(released, colour={"type": "string"})
    with pytest.raises(CommandError, match="Publish a new event type beside the old one"):
        called("asyncapi", f"--released={released}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        ("nonsense", "is no AsyncAPI document. Write one"),
        ("{}", "is no AsyncAPI document. Write one"),
        ("[]", "is no AsyncAPI document. Write one"),
    ],
)
def test_a_file_that_is_no_document_is_one_line(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    path = tmp_path / "released.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match=reason) as refused:
        called("asyncapi", f"--released={path}")
    assert len(str(refused.value).splitlines()) == 1
