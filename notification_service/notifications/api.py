"""The API of the inbox."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers, viewsets

from common.api.pagination import KeysetPagination
from common.api.permissions import ModelPermissions
from notification_service.notifications.models import Notification


class NotificationSerializer(serializers.ModelSerializer):
    read = serializers.BooleanField(source="read_at", help_text="Set it to mark as read, or not.")

    class Meta:
        model = Notification
        fields = [
            "id",
            "event_id",
            "kind",
            "product_id",
            "text",
            "old_price",
            "new_price",
            "created_at",
            "read",
        ]
        read_only_fields = [name for name in fields if name != "read"]

    def to_representation(self, instance: Notification) -> dict[str, Any]:
        return {**super().to_representation(instance), "read": instance.read_at is not None}

    def update(self, instance: Notification, validated_data: dict[str, Any]) -> Notification:
        if "read_at" in validated_data:
            instance.read_at = timezone.now() if validated_data["read_at"] else None
            instance.save(update_fields=["read_at"])
        return instance


class NotificationFilter(filters.FilterSet):
    unread = filters.BooleanFilter(field_name="read_at", lookup_expr="isnull")

    class Meta:
        model = Notification
        fields = ["kind", "product_id"]


class NotificationViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    permission_classes = [ModelPermissions]
    pagination_class = KeysetPagination
    filterset_class = NotificationFilter
