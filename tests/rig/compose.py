"""Run what the image and compose.yaml run, on a machine without containers."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from eventbus.running import lifeline
from tests.stack import ROOT, Process

DOCKER = ROOT / "docker"
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")


def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml by name, each variable at its default."""
    file = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    found: dict[str, dict[str, Any]] = _interpolated(file["services"])
    return found


def _interpolated(value: Any) -> Any:
    """Interpolate after parsing the YAML, as Compose does, so that an empty default is a string."""
    if isinstance(value, dict):
        return {name: _interpolated(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_interpolated(item) for item in value]
    return VARIABLE.sub(r"\1", value) if isinstance(value, str) else value


def instructions(name: str) -> list[str]:
    """The arguments of an instruction, such as COPY, in the last stage of the Dockerfile."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)", text.rpartition("\nFROM ")[2], re.MULTILINE)


class Image:
    """The files of the image, in a directory: the application, and its dependencies from PyPI.

    :param directory: an empty directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._app = directory / "app"
        self._venv = directory / "venv"
        for line in instructions("COPY"):
            if not line.startswith("--from"):
                self._copy(*line.split())
        lifeline.run([DOCKER / "install.sh", self._venv], check=True)

    def start(
        self, words: Sequence[str], variables: Mapping[str, str], name: str = "command"
    ) -> Process:
        """Start a command like the container, with the image's variables and these."""
        [line] = instructions("ENV")
        own = dict(pair.split("=", 1) for pair in line.split())
        path = {"PATH": f"{self._venv}/bin:{os.environ['PATH']}"}
        log = self._directory / f"{name}.log"
        return Process(list(words), {**own, **path, **variables}, log, directory=self._app)

    def files(self) -> set[tuple[Path, int]]:
        """The application's files, with their modification times."""
        return {(path, path.stat().st_mtime_ns) for path in self._app.rglob("*")}

    def healthcheck(self, variables: Mapping[str, str]) -> int:
        """Run the image's health check.

        :returns: its exit code.
        """
        [line] = instructions("HEALTHCHECK")
        words = json.loads(line.partition("CMD ")[2])
        return self.start(words, variables, "healthcheck").wait()

    def _copy(self, source: str, destination: str) -> None:
        target = self._app / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "tests")
            shutil.copytree(ROOT / source, target, ignore=ignored)
        else:
            shutil.copy(ROOT / source, target)
