"""Follow a document: write its files and run its commands, in order."""

import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from eventbus.running import lifeline

COMMAND_SECONDS = 120
INFO = re.compile(r'(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?')
DIRECTIVE = re.compile(r"\{\w+\}")


class Block(NamedTuple):
    """A fenced block.

    :param kind: its language. Commands to run are ``console``.
    :param title: the path of a file that the text is added to, or nothing.
    """

    kind: str
    title: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The code blocks of a document, without Sphinx's directives.

    :raises ValueError: for a block that does not say what it is.
    """
    tokens = MarkdownIt().parse(document.read_text())
    code = [token for token in tokens if token.type in {"fence", "code_block"}]
    found = []
    for token in code:
        if DIRECTIVE.match(token.info):
            continue
        info = INFO.fullmatch(token.info)
        if info is None:
            raise ValueError(f"{document.name}: a block has no language:\n{token.content}")
        found.append(Block(info["kind"], info["title"] or "", token.content))
    return found


class Reader:
    """A reader who types what a document says.

    :param directory: where to start.
    :param environment: environment variables of the commands.
    :param edit: what the reader changes in every block, such as the address of the broker.
    :param others: what to do with the text of a block that is neither a file nor commands, by its
        language.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        edit: Callable[[str], str],
        others: Mapping[str, Callable[[str], object]] | None = None,
    ) -> None:
        self.directory = directory
        self._others = others or {}
        self._environment = dict(environment)
        self._edit = edit
        self._background: list[lifeline.Started] = []

    def follow(self, document: Path) -> None:
        """Do what each block says, and compare its output with the document.

        :raises KeyError: for a block that nobody can follow.
        """
        for kind, title, text in blocks(document):
            if title:
                self._add(title, self._edit(text))
            elif kind == "console":
                self._run_all(self._edit(text))
            else:
                self._others[kind](self._edit(text))

    def stop(self) -> None:
        """End the commands still running in the background."""
        for process in self._background:
            process.terminate()
        for process in self._background:
            process.wait(timeout=20)

    def _add(self, title: str, text: str) -> None:
        path = self.directory / title
        begun = path.read_text() + "\n" if path.exists() else ""
        path.write_text(begun + text)

    def _run_all(self, text: str) -> None:
        for part in re.split(r"^\$ ", text.replace("\\\n", ""), flags=re.M)[1:]:
            line, _, printed = part.partition("\n")
            self.run(line, printed)

    def run(self, line: str, printed: str) -> None:
        """Run one line in a shell, and assert that its output contains the printed text."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.directory /= words[1]
        elif words[0] == "export":
            self._environment |= dict(word.split("=", 1) for word in words[1:])
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
