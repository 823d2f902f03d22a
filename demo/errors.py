"""Why the demo cannot start or continue."""


class StartError(Exception):
    """The demo cannot start; the message says what to do."""


class Stopped(Exception):
    """The demo was asked to stop."""
