"""API of the in-app notifications. Users see their own."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.servicekit.api.filters import FilterSet
from common.servicekit.api.pagination import KeysetPagination
from notification_service.notifications.models import Notification
from notification_service.notifications.own import OwnRows, OwnSerializer

Count = inline_serializer("NotificationCount", {"unread": serializers.IntegerField()})


class NotificationSerializer(OwnSerializer[Notification]):
    read = serializers.BooleanField(
        source="read_at", help_text="Whether the notification is read. Set it to change that."
    )

    class Meta:
        model = Notification
        fields = ["id", "kind", "event_id", "product_id", "text", "created_at", "read"]
        read_only_fields = [name for name in fields if name != "read"]

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        return {**super().to_representation(instance), "read": instance.read_at is not None}

    def update(self, instance: Notification, validated_data: dict[str, Any]) -> Notification:
        if "read_at" in validated_data:
            instance.read_at = timezone.now() if validated_data["read_at"] else None
            instance.save(update_fields=["read_at"])
        return instance


class NotificationFilter(FilterSet):
    unread = filters.BooleanFilter(field_name="read_at", lookup_expr="isnull")

    class Meta:
        model = Notification
        fields = ["kind", "product_id"]


class NotificationViewSet(
    OwnRows,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Notification],
):
    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filterset_class = NotificationFilter

    @extend_schema(responses=Count, filters=False)
    @action(detail=False, pagination_class=None, filterset_class=None)
    def count(self, request: Request, format: str | None = None) -> Response:
        """The number of unread notifications."""
        unread = self.get_queryset().filter(read_at__isnull=True).count()
        return Response({"unread": unread})

    @extend_schema(request=None, responses=Count)
    @action(detail=False, methods=["post"], url_path="mark-all-read")
    def mark_all_read(self, request: Request, format: str | None = None) -> Response:
        """Mark all notifications as read."""
        self.get_queryset().filter(read_at__isnull=True).update(read_at=timezone.now())
        return Response({"unread": 0})
