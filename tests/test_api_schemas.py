"""Each API behaves as its OpenAPI schema says, for any input."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbus.running import lifeline
from tests.stack import ROOT, SERVICES, USER, Databases, Stack, stopping

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
NO_KAFKA = "127.0.0.1:1"
SEED = "20261124"


@pytest.fixture
def stack(databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    yield from stopping(Stack(tmp_path, databases, NO_KAFKA))


@pytest.mark.parametrize("service", SERVICES)
def test_the_schema_is_made_without_a_warning(stack: Stack, service: str) -> None:
    schema = stack.manage(service, "spectacular", "--validate", "--fail-on-warn")
    assert schema.startswith("openapi: 3")


@pytest.mark.real_too
@pytest.mark.parametrize("service", SERVICES)
def test_answers_are_as_the_schema_says(stack: Stack, service: str) -> None:
    stack.serve(service, "--limit-request-line=0")  # gunicorn rejects long lines in its own format
    token = stack.manage(service, "drf_create_token", USER).split()[2]
    words = ["run", f"{stack.urls[service]}/api/schema/", f"--header=Authorization: Token {token}"]
    options = [f"--checks={','.join(CHECKS)}", "--max-examples=25", f"--seed={SEED}"]
    quiet = ["--generation-database=none", "--no-color", "--warnings=off"]
    done = lifeline.run(
        [Path(sys.executable).parent / "schemathesis", *words, *options, *quiet],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
