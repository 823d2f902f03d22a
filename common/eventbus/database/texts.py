"""Fitting text into columns of limited length."""

from hashlib import sha256

DIGEST_CHARACTERS = 16


def fitting(text: str, length: int) -> str:
    """Shorten a text to ``length`` characters, keeping distinct texts distinct.

    A longer text is truncated and ends with a prefix of its SHA-256 in hexadecimal.

    :param length: of the column, in characters; more than 17.
    """
    if len(text) <= length:
        return text
    digest = sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{text[: length - DIGEST_CHARACTERS - 1]}…{digest}"
