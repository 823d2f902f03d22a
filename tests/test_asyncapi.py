"""The AsyncAPI document is valid, according to AsyncAPI's own parser."""

import json
import subprocess
from pathlib import Path

import pytest

from eventbus.running import lifeline
from tests.stack import ROOT, Databases, Stack, stopping

pytestmark = pytest.mark.real

VALIDATOR = ROOT / "tests" / "rig" / "node"


def validate(document: Path) -> subprocess.CompletedProcess[str]:
    return lifeline.run(
        ["node", "validate.mjs", document],
        cwd=VALIDATOR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_document_is_valid(databases: Databases, tmp_path: Path) -> None:
    document = tmp_path / "events.json"
    for stack in stopping(Stack(tmp_path, databases, "127.0.0.1:1")):
        document.write_text(stack.manage("product", "asyncapi"))
    done = validate(document)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_parser_rejects_an_invalid_document(tmp_path: Path) -> None:
    document = tmp_path / "events.json"
    document.write_text(json.dumps({"asyncapi": "3.0.0", "info": {}, "channels": {"a": 1}}))
    assert validate(document).returncode == 1
