"""Turns the title of a fenced block (the path of its file) into its caption."""

import re

from sphinx.application import Sphinx

FENCE = re.compile(r'^```(\w+) title="([^"]+)"$', re.M)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _caption)
    return {"parallel_read_safe": True}


def _caption(app: Sphinx, document: str, source: list[str]) -> None:
    source[0] = FENCE.sub(r"```{code-block} \1\n:caption: \2", source[0])
