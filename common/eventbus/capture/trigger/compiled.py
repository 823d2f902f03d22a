"""What a definition is in a database."""

from typing import NamedTuple


class Compiled(NamedTuple):
    """One trigger.

    :param name: of the trigger, and on PostgreSQL of its function.
    :param text: as the catalogue of the database has it.
    :param statements: create it.
    """

    name: str
    text: str
    statements: tuple[str, ...]
