"""Messages in human-readable form."""

import json

from eventbus.inbox.taking.failures import storable

MOST_CHARACTERS = 20_000


def pretty(value: bytes | memoryview | None) -> str:
    """Indented JSON, or text with undecodable bytes escaped."""
    raw = bytes(value or b"")
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = raw.decode(errors="backslashreplace")
    text = storable(text)
    if len(text) > MOST_CHARACTERS:
        return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"
    return text
