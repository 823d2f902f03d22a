"""Texts as columns hold them."""

from hashlib import sha256

DIGEST_CHARACTERS = 16


def fitting(text: str, length: int) -> str:
    """A text of at most so many characters; two different ones stay different.

    One that is longer is cut short and ends in the beginning of its SHA-256, in hexadecimal.

    :param length: of the column, in characters, more than 17.
    """
    if len(text) <= length:
        return text
    digest = sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{text[: length - DIGEST_CHARACTERS - 1]}…{digest}"
