"""Unidiomatic phrases of early texts, which must not return."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
THIS = Path(__file__)
SUFFIXES = {".html", ".md", ".py", ".sh", ".toml", ".txt", ".yaml"}
NOT_OURS = {".git", ".venv", "node_modules", "requirements", "static", "var"}
SPACE = r"[\s#\"'`]+"  # phrases may be wrapped in docstrings, comments and string literals
REPLACEMENTS = {
    "is told of": "is notified of, receives",
    "are told of": "are notified of, receive",
    "be told of": "be notified of, receive",
    "was told of": "was notified of",
    "were told of": "were notified of",
    "tell of": "describe, report, publish",
    "tells of": "describes, reports, publishes",
    "what is told": "what is published",
    "came to be": "was created",
    "it is none": "it is not one",
    "made anew": "recreated",
    "see to it that": "ensure that",
    "sees to it that": "ensures that",
    "brought it about": "caused it",
    "share one fate": "succeed or fail together",
}


def texts() -> Iterator[Path]:
    """The handwritten text files of the repository."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path != THIS and path.suffix in SUFFIXES and NOT_OURS.isdisjoint(parts):
            yield path


def pattern(phrases: list[str]) -> re.Pattern[str]:
    either = "|".join(SPACE.join(map(re.escape, phrase.split())) for phrase in phrases)
    return re.compile(rf"\b({either})\b", re.IGNORECASE)


def test_no_text_uses_them() -> None:
    """Report each occurrence with its position and a replacement."""
    phrases = pattern(list(REPLACEMENTS))
    found = []
    for path in texts():
        text = path.read_text()
        for match in phrases.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            phrase = " ".join(re.split(SPACE, match[0].lower()))
            better = REPLACEMENTS[phrase]
            found.append(f"{path.relative_to(ROOT)}:{line}: {phrase!r}; write: {better}")
    assert found == []


@pytest.mark.parametrize("text", ["events are told\n    # of it", 'text = "it is "\n    "none"'])
def test_a_wrapped_phrase_is_found(text: str) -> None:
    assert pattern(list(REPLACEMENTS)).search(text)


def test_it_reads_every_kind_of_text() -> None:
    assert {path.suffix for path in texts()} == SUFFIXES
