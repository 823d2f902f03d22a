"""Carrying out a request once, however often it comes.

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
    """The key came before, with a request that said something else."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = f"This {HEADER} came with another request before. Use a new key."


def once(request: Request, carry_out: Callable[[], Response]) -> Response:
    """Carry out a request, unless its key has come before: then give the answer of that time.

    The answer is kept in the transaction of the work itself. A request that fails keeps nothing
    and may come again; one that comes while the first is at work waits for it.

    :param request: without ``Idempotency-Key``, it is just carried out.
    :raises KeyOfAnotherRequest: when the request with this key said something else.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return carry_out()
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValidationError({HEADER: [f"It must have 1 to {LONGEST_KEY} characters."]})
    with transaction.atomic():
        _forget_old_answers(key)
        kept, is_new = KeptAnswer.objects.get_or_create(
            user=str(request.user.pk),  # a name may go to somebody else
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
    """What the request says, whatever its spelling: two that mean the same have the same."""
    data = dict(request.data.lists()) if hasattr(request.data, "lists") else request.data
    said = [request.method, request.path, data]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _keep(kept: KeptAnswer, response: Response) -> None:
    kept.status = response.status_code
    kept.headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    kept.body = JSONRenderer().render(response.data).decode() if response.data else "null"
    kept.save()


def _forget_old_answers(key: str) -> None:
    """Delete the oldest ones that are out of date, and the one of this key if it is."""
    limit = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
    old = KeptAnswer.objects.filter(created_at__lt=limit)
    skip_locked = connection.features.has_select_for_update_skip_locked
    oldest = old.select_for_update(skip_locked=skip_locked).order_by("created_at")
    keys = list(oldest.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    if keys:
        KeptAnswer.objects.filter(pk__in=keys).delete()
    old.filter(key=key).delete()
