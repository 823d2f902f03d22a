"""URL converters."""

from django.urls.converters import PathConverter


class AnyTextConverter(PathConverter):
    r"""Like ``path``, but accepts line breaks: producers may use any text as an id."""

    regex = r"[\s\S]+"
