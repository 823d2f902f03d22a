"""Run a command with a temporary PostgreSQL server: ``python -m tests.rig.on_postgres COMMAND``.

The command finds it in ``DATABASE_URL``; its exit code is passed on.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from eventbus.running import lifeline
from tests.rig.postgres import Postgres
from tests.stack import running


def main(command: list[str]) -> int:
    with TemporaryDirectory(prefix="postgres-") as home, running(Postgres(Path(home))) as server:
        variables = {**os.environ, "DATABASE_URL": server.url("postgres")}
        return lifeline.run(command, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
