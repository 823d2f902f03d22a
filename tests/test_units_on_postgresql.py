"""The tests of common and of each service, once more on PostgreSQL."""

import os
import sys

import pytest

from eventbus.running import lifeline
from tests.rig.postgres import Postgres
from tests.stack import ROOT

pytestmark = pytest.mark.real

SETTINGS = {
    "common/tests": "common.tests.settings",
    "common/servicekit": "common.servicekit.tests.settings",
    "product_service": "product_service.settings",
    "notification_service": "notification_service.settings",
    "audit_service": "audit_service.settings",
}


@pytest.mark.parametrize("package", SETTINGS)
def test_they_pass(package: str, product_postgres: Postgres) -> None:
    variables = {"DATABASE_URL": product_postgres.url("postgres"), "SECRET_KEY": "for-tests-only"}
    done = lifeline.run(
        [sys.executable, "-m", "pytest", "-q", package, f"--ds={SETTINGS[package]}"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout
