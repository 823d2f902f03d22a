"""Carry out a request only once, however often it is sent.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from common.servicekit.idempotency.models import KeptAnswer

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_HEADERS = ("ETag", "Location")
FORGOTTEN_AT_ONCE = 100


class KeyOfAnotherRequest(APIException):
    """The key was already used for a different request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = f"This {HEADER} was already used for another request. Use a new key."


def once(request: Request, carry_out: Callable[[], Response]) -> Response:
    """Carry out a request, or return the stored response if its key has been used before.

    The response is stored in the transaction of the work itself. A failed request stores nothing
    and may be repeated; a request that arrives while the first is running waits for it.

    :param request: without ``Idempotency-Key``, it is simply carried out.
    :raises KeyOfAnotherRequest: if the key was used for a different request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return carry_out()
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValidationError({HEADER: [f"Must have 1 to {LONGEST_KEY} characters."]})
    with transaction.atomic():
        _forget_old_answers(key)
        kept, is_new = KeptAnswer.objects.get_or_create(
            user=str(request.user.pk),  # user names can be reassigned
            key=key,
            defaults={"fingerprint": fingerprint(request)},
        )
        if is_new:
            response = carry_out()
            _keep(kept, response)
            return response
    if kept.fingerprint != fingerprint(request):
        raise KeyOfAnotherRequest
    headers = {**kept.headers, "Idempotent-Replayed": "true"}
    return Response(json.loads(kept.body), status=kept.status, headers=headers)


def fingerprint(request: Request) -> str:
    """A digest of the content of the request, independent of its formatting."""
    data = dict(request.data.lists()) if hasattr(request.data, "lists") else request.data
    content = [request.method, request.path, data]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _keep(kept: KeptAnswer, response: Response) -> None:
    kept.status = response.status_code
    kept.headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    kept.body = JSONRenderer().render(response.data).decode() if response.data else "null"
    kept.save()


def _forget_old_answers(key: str) -> None:
    """Delete some of the oldest expired responses, and that of this key if expired."""
    limit = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
    old = KeptAnswer.objects.filter(created_at__lt=limit)
    skip_locked = connection.features.has_select_for_update_skip_locked
    oldest = old.select_for_update(skip_locked=skip_locked).order_by("created_at")
    keys = list(oldest.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    if keys:
        KeptAnswer.objects.filter(pk__in=keys).delete()
    old.filter(key=key).delete()
