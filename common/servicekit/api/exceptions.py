"""Errors as problem details (RFC 9457), including errors that DRF does not handle."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import DataError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class BodyTooLarge(APIException):
    """The request body exceeds ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__(f"The request body is too large: the limit is {limit:,} bytes.")


class TooManyFields(APIException):
    """A form has more fields than ``DATA_UPLOAD_MAX_NUMBER_FIELDS``."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "too_many_fields"

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        super().__init__(f"The form has too many fields: the limit is {limit:,}. Send JSON.")


class Unstorable(APIException):
    """The request has a value that PostgreSQL cannot store, such as a NUL or a year 0."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "unstorable"
    default_detail = "The request has a value that the database cannot store."


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, with problem details as the body."""
    from rest_framework.views import exception_handler  # it reads the setting that names this one

    if isinstance(error, RequestDataTooBig):
        error = BodyTooLarge()
    elif isinstance(error, TooManyFieldsSent):
        error = TooManyFields()
    elif isinstance(error, DataError):
        log.warning("the database rejected a value of a request", reason=str(error))
        error = Unstorable()
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, ValidationError):
        response.data = invalid(error, context["request"])
    else:
        detail = response.data.get("detail")
        code = getattr(detail, "code", None)
        response.data = problem(response.status_code, str(detail), code)
    renderer = getattr(context["request"], "accepted_renderer", None)
    if renderer is None or isinstance(renderer, JSONRenderer):
        response.content_type = MEDIA_TYPE
    return response


def problem(status_code: int, detail: str, code: str | None = None) -> dict[str, Any]:
    """Problem details whose kind is given by the status alone (RFC 9457, section 4.2.1).

    :param detail: what is wrong with this request, for people.
    :param code: the reason for programs, if the status is not specific enough.
    """
    title = HTTPStatus(status_code).phrase
    details = {"type": "about:blank", "title": title, "status": status_code, "detail": detail}
    return {**details, "code": code} if code else details


def invalid(error: ValidationError, request: Any) -> Any:
    """Problem details with an error for each invalid value.

    The serializer is attached because the browsable API refills its form from it.
    """
    place = "parameter" if request.method in SAFE_METHODS else "pointer"
    errors = [
        {"detail": str(detail), place: _place(place, path), "code": detail.code}
        for path, detail in _each(error.detail)
    ]
    body = problem(error.status_code, "The request is not valid; see errors.", "invalid")
    serializer: Any = getattr(error.detail, "serializer", None)
    return ReturnDict({**body, "errors": errors}, serializer=serializer)


def _each(detail: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _each(inner, path if name == "non_field_errors" else (*path, str(name)))
    elif isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        for number, inner in enumerate(detail):
            yield from _each(inner, (*path, str(number)))
    elif isinstance(detail, list):
        for text in detail:
            yield path, text
    else:
        yield path, detail


def _place(kind: str, path: tuple[str, ...]) -> str:
    """A query parameter, or a JSON pointer as a fragment (RFC 6901, section 6)."""
    if kind == "parameter":
        return ".".join(path)
    return "#" + "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's page, or problem details under ``/api/``."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return _answer(404, f"Nothing found at {request.path}")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's page, or problem details under ``/api/``; neither reveals internals."""
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    return _answer(500, "Internal error. The details are in the server's log.")


def _answer(status_code: int, detail: str) -> JsonResponse:
    details = problem(status_code, detail)
    return JsonResponse(details, status=status_code, content_type=MEDIA_TYPE)
