"""API of the subscriptions. Users manage their own."""

from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.db import models
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.servicekit.api.fields import DecimalField
from common.servicekit.api.pagination import KeysetPagination
from notification_service.notifications.models import Subscription
from notification_service.notifications.models.subscriptions import EVENT_TYPES, MOST_PRODUCTS
from notification_service.notifications.own import OwnRows, OwnSerializer
from notification_service.notifications.previews import Preview, Shown, preview


class SubscriptionSerializer(OwnSerializer[Subscription]):
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DecimalField: DecimalField,
    }

    event_types = serializers.ListField(
        child=serializers.ChoiceField(EVENT_TYPES),
        required=False,
        help_text="Event types to match. Empty matches all.",
    )
    product_ids = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, max_length=MOST_PRODUCTS
    )

    class Meta:
        model = Subscription
        fields = [
            "id",
            "channel",
            "endpoint",
            "event_types",
            "products",
            "category",
            "product_ids",
            "text",
            "condition",
            "percent",
            "below",
            "schedule",
            "digest_hour",
            "quiet_from",
            "quiet_until",
            "time_zone",
            "language",
            "is_active",
            "created_at",
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate with the model's own rules, so that API, page and admin accept the same."""
        subscription = self.as_it_would_be(attrs)
        try:
            subscription.clean()
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from None
        return attrs

    def as_it_would_be(self, attrs: dict[str, Any]) -> Subscription:
        """Build the subscription with these changes, without saving it."""
        old = self.instance
        values = {f.attname: getattr(old, f.attname) for f in Subscription._meta.fields if old}
        subscription = Subscription(**{**values, "owner": self.context["request"].user})
        for name, value in attrs.items():
            setattr(subscription, name, value)
        return subscription


class ShownSerializer(serializers.Serializer[Shown]):
    at = serializers.DateTimeField(help_text="When the event occurred.")
    due = serializers.DateTimeField(help_text="When the message would have been sent.")
    type = serializers.CharField()
    product_id = serializers.CharField()
    text = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Preview]):
    messages = ShownSerializer(many=True)
    events = serializers.IntegerField(help_text="Number of events examined, at most 100.")


class SubscriptionViewSet(OwnRows, viewsets.ModelViewSet[Subscription]):
    queryset = Subscription.objects.all()
    serializer_class = SubscriptionSerializer
    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filterset_fields = ["channel", "condition", "is_active"]

    def perform_create(self, serializer: Any) -> None:
        serializer.save(owner=self.request.user)

    @extend_schema(responses=PreviewSerializer)
    @action(detail=True)
    def preview(self, request: Request, pk: str, format: str | None = None) -> Response:
        """Preview the messages that this subscription would have sent for the latest 100 events."""
        return Response(PreviewSerializer(preview(self.get_object())).data)

    @extend_schema(operation_id="subscriptions_preview_draft", responses={200: PreviewSerializer})
    @action(detail=False, methods=["post"], url_path="preview")
    def preview_draft(self, request: Request, format: str | None = None) -> Response:
        """Preview the messages of a subscription without creating it."""
        context = self.get_serializer_context()
        serializer = SubscriptionSerializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        draft = serializer.as_it_would_be(serializer.validated_data)
        return Response(PreviewSerializer(preview(draft)).data)
