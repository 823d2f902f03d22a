"""What keeps the demo from starting or going on."""


class StartError(Exception):
    """The demo cannot start; the text says what to do."""


class Stopped(Exception):
    """Somebody asked the demo to stop."""
