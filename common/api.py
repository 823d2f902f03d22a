"""What the REST APIs of all services share."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler


class ModelPermissions(DjangoModelPermissions):
    """DRF's, but reading needs the view permission, as in the admin."""

    perms_map = {
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
    }


class NewestFirst(CursorPagination):
    """Pages that stay stable while rows come in, and cost the same however deep they are."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000


class BodyTooLarge(APIException):
    """The request body is over ``DATA_UPLOAD_MAX_MEMORY_SIZE``."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        super().__init__({"body": [f"The request body is too large: {limit:,} bytes is the most."]})


class BoundedJSONParser(JSONParser):
    """DRF's parser reads the stream itself, past Django's limit, and as deep as it goes."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        length = int(parser_context["request"].META.get("CONTENT_LENGTH") or 0)
        if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's, and Django's refusal of large form bodies as the API's own."""
    if isinstance(error, RequestDataTooBig):
        error = BodyTooLarge()
    return drf_exception_handler(error, context)
