"""Errors that DRF does not know, as answers in its form."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response


class BodyTooLarge(APIException):
    """The request body is over ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__({"body": [f"The request body is too large: {limit:,} bytes is the most."]})


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's, and Django's refusal of large bodies as the API's own."""
    from rest_framework.views import exception_handler  # it reads the settings that name this one

    if isinstance(error, RequestDataTooBig):
        error = BodyTooLarge()
    return exception_handler(error, context)
