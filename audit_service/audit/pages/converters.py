"""Parts of URLs."""

from django.urls.converters import PathConverter


class AnyTextConverter(PathConverter):
    r"""As ``path``, line breaks included: ids are whatever a producer says."""

    regex = r"[\s\S]+"
