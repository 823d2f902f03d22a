"""Conditional requests, so that nobody overwrites what he has not seen (RFC 9110, section 13)."""

from django.conf import settings
from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request


class PreconditionFailed(APIException):
    """The resource is not any more what the client has seen."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It was changed meanwhile. Get it again, and try again with its new ETag."
    default_code = "precondition_failed"


class PreconditionRequired(APIException):
    """The client must say what it has seen (RFC 6585, section 3)."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Say in If-Match which ETag you have seen."
    default_code = "precondition_required"


def refuse_stale(request: Request, etag: str) -> None:
    """Compare ``If-Match`` with what the resource is now, while its row is locked.

    :param etag: the strong entity tag, with its quotes.
    :raises PreconditionFailed: when they differ.
    :raises PreconditionRequired: without ``If-Match``, where ``API_REQUIRE_IF_MATCH`` is set.
    """
    seen = request.headers.get("If-Match")
    if seen is None:
        if settings.API_REQUIRE_IF_MATCH:
            raise PreconditionRequired
    elif seen.strip() != "*" and etag not in parse_etags(seen):
        raise PreconditionFailed


def is_known(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` says that the client has this already."""
    seen = request.headers.get("If-None-Match", "")
    tags = [tag.removeprefix("W/") for tag in parse_etags(seen)]
    return "*" in tags or etag in tags
