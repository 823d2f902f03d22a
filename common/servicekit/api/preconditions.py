"""Conditional requests, which prevent lost updates (RFC 9110, section 13)."""

from django.conf import settings
from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.request import Request


class PreconditionFailed(APIException):
    """The resource has changed since the client read it."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It has changed since. Fetch it again, and retry with its new ETag."
    default_code = "precondition_failed"


class PreconditionRequired(APIException):
    """The client must state which version it has seen (RFC 6585, section 3)."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = "Send the ETag that you have seen in If-Match."
    default_code = "precondition_required"


def refuse_stale(request: Request, etag: str) -> None:
    """Compare ``If-Match`` with the current resource, whose row must be locked.

    :param etag: the strong entity tag, including its quotes.
    :raises PreconditionFailed: if they differ.
    :raises PreconditionRequired: without ``If-Match``, if ``API_REQUIRE_IF_MATCH`` is set.
    """
    seen = request.headers.get("If-Match")
    if seen is None:
        if settings.API_REQUIRE_IF_MATCH:
            raise PreconditionRequired
    elif seen.strip() != "*" and etag not in parse_etags(seen):
        raise PreconditionFailed


def is_known(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` shows that the client already has this version."""
    seen = request.headers.get("If-None-Match", "")
    tags = [tag.removeprefix("W/") for tag in parse_etags(seen)]
    return "*" in tags or etag in tags
