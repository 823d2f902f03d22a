"""API of the webhook endpoints, for users who may add endpoints. Each sees their own."""

from typing import Any

from django.core.exceptions import ValidationError as ModelError
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from common.servicekit.api.pagination import KeysetPagination
from common.servicekit.api.permissions import ModelPermissions
from notification_service.notifications.models import Endpoint
from notification_service.notifications.own import OwnRows, OwnSerializer


class EndpointSerializer(OwnSerializer[Endpoint]):
    class Meta:
        model = Endpoint
        fields = ["id", "name", "url", "is_active", "disabled_reason", "created_at"]
        read_only_fields = ["disabled_reason"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        url: Any = attrs.get("url") or getattr(self.instance, "url", "")
        endpoint = Endpoint(url=url)
        try:
            endpoint.clean()
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from None
        attrs["url"] = endpoint.url
        if attrs.get("is_active"):
            attrs["disabled_reason"] = ""
        return attrs


class NewEndpointSerializer(EndpointSerializer):
    """The response to creating an endpoint. Only it and that to a rotation contain the secret."""

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]
        read_only_fields = ["disabled_reason", "secret"]


class EndpointViewSet(OwnRows, viewsets.ModelViewSet[Endpoint]):
    queryset = Endpoint.objects.order_by("id")
    serializer_class = EndpointSerializer
    permission_classes = [ModelPermissions]
    pagination_class = KeysetPagination
    filterset_fields = ["is_active"]

    @extend_schema(responses={201: NewEndpointSerializer})
    def create(self, request: Request, *args: Any, **options: Any) -> Response:
        """Create an endpoint. The secret is returned only in this response; store it now."""
        serializer = EndpointSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        endpoint = serializer.save(owner=request.user)
        shown = NewEndpointSerializer(endpoint, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=None,
        responses=inline_serializer(
            "RotatedSecret",
            {"secret": serializers.CharField(), "previous_until": serializers.DateTimeField()},
        ),
    )
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str, format: str | None = None) -> Response:
        """Replace the secret. For 24 hours, messages are signed with the previous one as well."""
        endpoint = self.get_object()
        secret = endpoint.rotate()
        return Response({"secret": secret, "previous_until": endpoint.previous_until})
