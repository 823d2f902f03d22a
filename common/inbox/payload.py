"""Messages as people can read them."""

import json

MOST_CHARACTERS = 20_000


def pretty(value: bytes | memoryview | None) -> str:
    """JSON indented; anything else as text, with its odd bytes escaped."""
    raw = bytes(value or b"")
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = raw.decode(errors="backslashreplace").replace("\x00", "\\x00")
    if len(text) > MOST_CHARACTERS:
        return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} characters more"
    return text
