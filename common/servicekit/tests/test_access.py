"""Secure defaults: new views need a login, and filters must not reveal rows."""

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django_filters import rest_framework as filters
from pytest_django import DjangoAssertNumQueries
from rest_framework import generics
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from common.servicekit.api.filters import FilterBackend, FilterSet, IdFilter
from common.servicekit.health import healthz, readyz
from common.servicekit.testing.access import READING, WRITING, open_to_anybody
from common.servicekit.testing.pages import pages
from eventbus.inbox.models import ParkedEvent, ParkedKey, WorkerState

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def plain_view(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse("anything")


class ApiView(APIView):
    def get(self, request: Request) -> Response:
        return Response("anything")


class KeySerializer(ModelSerializer[ParkedKey]):
    class Meta:
        model = ParkedKey
        fields = ["key"]


class KeysView(generics.ListAPIView[ParkedKey]):
    queryset = ParkedKey.objects.order_by("pk")
    serializer_class = KeySerializer


def broken() -> None:
    raise AssertionError("details must not be computed for users who may not see them")


urlpatterns = [
    path("plain/<int:pk>/", plain_view),
    path("api/view/", ApiView.as_view()),
    path("api/keys/", KeysView.as_view()),
    path("healthz", healthz),
    path("readyz", readyz("eventbus_inbox.view_workerstate", workers=lambda: ["host-1:17"])),
    path("readyz-of-nobody", readyz("eventbus_inbox.view_workerstate", workers=broken)),
]
VALUES = {"pk": [1]}


def test_a_new_view_is_closed() -> None:
    assert {page.route for page in pages(VALUES)} > {"/plain/<pk>/", "/api/view/", "/api/keys/"}
    assert open_to_anybody(VALUES) == {
        "/healthz": READING | WRITING,
        "/readyz": READING,
        "/readyz-of-nobody": READING,
    }


def test_a_new_view_of_a_model_needs_its_permission(client: Client) -> None:
    user = User.objects.create_user("ada")
    client.force_login(user)
    assert client.get("/api/keys/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_parkedkey"))
    client.force_login(User.objects.get())
    assert client.get("/api/keys/").status_code == 200


def test_a_route_without_values_is_not_left_out() -> None:
    with pytest.raises(KeyError, match="pk"):
        pages({})
    with pytest.raises(ValueError, match="plain"):
        pages({"pk": ["no number"]})


def test_readiness_details_need_a_permission(client: Client) -> None:
    assert client.get("/readyz-of-nobody").json() == {"status": "ok", "database": "ok"}
    user = User.objects.create_user("ada")
    headers = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
    assert "workers" not in client.get("/readyz", headers=headers).json()
    user.user_permissions.add(Permission.objects.get(codename="view_workerstate"))
    assert client.get("/readyz", headers=headers).json()["workers"] == ["host-1:17"]
    client.force_login(user)
    assert client.get("/readyz").json()["workers"] == ["host-1:17"]
    assert Client().get("/readyz", headers={"Authorization": "Token forged"}).status_code == 401


class KeyFilter(FilterSet):
    class Meta:
        model = ParkedEvent
        fields = ["parked_key", "state"]


class Choices(filters.FilterSet):  # type: ignore[misc]
    class Meta:
        model = ParkedEvent
        fields = ["parked_key"]


class Chosen(FilterSet):
    parked_key = filters.ModelChoiceFilter(queryset=ParkedKey.objects.all())


class Named(FilterSet):
    host = filters.AllValuesFilter(field_name="host")

    class Meta:
        model = WorkerState
        fields: list[str] = []


class View:
    filterset_class: type[FilterSet] | None = None
    filterset_fields: list[str] | None = None


def test_relations_are_filtered_without_querying_the_other_table(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    request = APIRequestFactory().get("/")
    with django_assert_num_queries(0):
        shown = KeyFilter({"parked_key": "7"}, ParkedEvent.objects.all(), request=request)
        assert isinstance(shown.filters["parked_key"], IdFilter)
        assert shown.is_valid()
        assert "<option" not in str(shown.form["parked_key"])


@pytest.mark.parametrize("value", ["x", "-1", "1.5", str(2**63), "9" * 5_000, "\x00"])
def test_an_invalid_id_is_rejected(value: str) -> None:
    assert not KeyFilter({"parked_key": value}, ParkedEvent.objects.all()).is_valid()


@pytest.mark.parametrize("filterset", [Choices, Chosen, Named])
def test_a_filter_that_would_show_rows_is_refused(filterset: type[FilterSet]) -> None:
    view = View()
    view.filterset_class = filterset
    with pytest.raises(ImproperlyConfigured, match=r"use IdFilter"):
        FilterBackend().get_filterset_class(view, None)


def test_a_view_that_names_fields_gets_no_choices_either() -> None:
    view = View()
    view.filterset_fields = ["parked_key"]
    made = FilterBackend().get_filterset_class(view, ParkedEvent.objects.all())
    assert isinstance(made.base_filters["parked_key"], IdFilter)
