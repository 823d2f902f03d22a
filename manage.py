#!/usr/bin/env python
"""The entry point of all three projects: python manage.py <service> <command>."""

import os
import sys

SETTINGS = {
    "product": "product_service.settings",
    "notification": "notification_service.settings",
    "audit": "audit_service.settings",
}


def main(argv: list[str]) -> None:
    """Run a Django command in the service given by the first argument.

    If ``DJANGO_SETTINGS_MODULE`` is set, the service may be omitted.
    """
    words = argv[1:]
    if words and words[0] in SETTINGS:
        service, *words = words
        os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS[service]
        # The autoreloader restarts from sys.argv, with the current environment.
        sys.argv[1:] = words
    elif "DJANGO_SETTINGS_MODULE" not in os.environ:
        named = f"{words[0]!r} is not a service" if words else "Name a service"
        sys.stderr.write(
            f"{named}: python manage.py <{'|'.join(SETTINGS)}> <command>, "
            "or set DJANGO_SETTINGS_MODULE.\n"
        )
        sys.exit(2)

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}. docs/reference/environment.md describes the settings.")


if __name__ == "__main__":
    main(sys.argv)
