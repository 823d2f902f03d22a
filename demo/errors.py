"""What keeps the demo from starting."""


class StartError(Exception):
    """The demo cannot start; the text says what to do."""
