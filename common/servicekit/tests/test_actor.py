"""The library's middleware knows who a view of Django REST Framework has authenticated."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.authtoken.models import Token
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from eventbus.events.context import current
from eventbus.middleware import EventContextMiddleware


class Whoami(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response(current().actor())


@pytest.mark.django_db
def test_whoever_has_the_token_is_the_actor(rf):
    key = Token.objects.create(user=User.objects.create(username="robot")).key
    request = rf.get("/", headers={"Authorization": f"Token {key}"})
    request.user = AnonymousUser()  # as Django's own middleware sees it
    assert EventContextMiddleware(Whoami.as_view())(request).data == "robot"
