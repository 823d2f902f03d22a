"""Follow a document: write its files and run its commands, in order."""

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from eventbus.running import lifeline

COMMAND_SECONDS = 120
BLOCK = re.compile(
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S
)


class Block(NamedTuple):
    """A fenced block: a file to write (``title`` is its path), or commands to run."""

    kind: str
    title: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The blocks of a document that a reader should follow."""
    found = BLOCK.finditer(document.read_text())
    return [Block(match["kind"], match["title"] or "", match["text"]) for match in found]


class Reader:
    """A reader who types what a document says.

    :param directory: where to start.
    :param environment: environment variables of the commands.
    :param edit: changes to files and commands, such as the address of the broker.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], edit: Callable[[str], str]
    ) -> None:
        self.directory = directory
        self._environment = dict(environment)
        self._edit = edit
        self._background: list[lifeline.Started] = []

    def follow(self, document: Path) -> None:
        """Write each file, run each command, and compare its output with the document."""
        for block in blocks(document):
            if block.title:
                self._write(block)
            elif block.kind == "console":
                self._run_all(block.text)

    def stop(self) -> None:
        """End the commands still running in the background."""
        for process in self._background:
            process.terminate()
        for process in self._background:
            process.wait(timeout=20)

    def _write(self, block: Block) -> None:
        path = self.directory / block.title
        begun = path.read_text() + "\n" if path.name == "settings.py" else ""
        path.write_text(begun + self._edit(block.text))

    def _run_all(self, text: str) -> None:
        for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
            line, _, printed = part.partition("\n")
            self.run(self._edit(line), printed)

    def run(self, line: str, printed: str) -> None:
        """Run one line in a shell, and assert that its output contains the printed text."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.directory /= words[1]
        elif words[-1] == "&":
            self._start_in_background(words[:-1])
        else:
            output = self.output(*words)
            assert printed in output, f"$ {line}\n{output}"

    def output(self, *words: str, code: int = 0) -> str:
        """The output of a command, which must end with this exit code."""
        done = lifeline.run(
            words,
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == code, f"$ {shlex.join(words)}\n{done.stdout}"
        return str(done.stdout)

    def _start_in_background(self, words: list[str]) -> None:
        with (self.directory / "background.log").open("ab") as log:
            process = lifeline.start(
                words, cwd=self.directory, env=self._environment, stdout=log, stderr=log
            )
        self._background.append(process)
