"""Directives that are generated from the code: the settings, and the help of a command."""

import argparse
import io
from contextlib import redirect_stdout
from typing import ClassVar

import msgspec
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from eventbus.conf import BusSettings


class Settings(SphinxDirective):
    """A definition list of all keys of ``EVENTBUS``, with their defaults and meanings."""

    def run(self) -> list[nodes.Node]:
        """One entry per key."""
        lines = []
        for field in msgspec.structs.fields(BusSettings):
            [meta] = field.type.__metadata__
            lines += [f"### `{field.encode_name}`", "", _default(field), "", meta.description, ""]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class CommandHelp(SphinxDirective):
    """The output of ``manage.py COMMAND --help``, without the options of every Django command."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """A literal block."""
        [name] = self.arguments
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        for action in parser._actions:
            if DjangoHelpFormatter.show_last.intersection(action.option_strings):
                action.help = argparse.SUPPRESS
        printed = io.StringIO()
        with redirect_stdout(printed):
            parser.print_help()
        return [nodes.literal_block(printed.getvalue(), printed.getvalue(), language="text")]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f"Default: `{field.default_factory()!r}`"
    if field.default is msgspec.NODEFAULT:
        return "Required."
    return f"Default: `{field.default!r}`"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("bus-settings", Settings)
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
