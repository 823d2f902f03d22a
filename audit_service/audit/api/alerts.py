"""API of the alerts. Reading and handling them require separate permissions."""

from typing import Any

from django.utils import timezone
from django_filters import rest_framework as filters
from rest_framework import mixins, serializers, viewsets

from audit_service.audit.models import Alert
from common.servicekit.api.filters import FilterSet
from common.servicekit.api.pagination import KeysetPagination
from common.servicekit.api.permissions import ModelPermissions


class AlertSerializer(serializers.ModelSerializer[Alert]):
    rule = serializers.CharField(source="rule.name", read_only=True)
    handled = serializers.BooleanField(
        source="handled_at", help_text="Whether it is handled; writable."
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "rule",
            "text",
            "at",
            "actor",
            "subject",
            "event_type",
            "event_id",
            "source",
            "unjudged",
            "raised_at",
            "handled",
            "handled_by",
        ]
        read_only_fields = [name for name in fields if name != "handled"]

    def to_representation(self, instance: Alert) -> dict[str, Any]:
        return {**super().to_representation(instance), "handled": instance.handled_at is not None}

    def update(self, instance: Alert, validated_data: dict[str, Any]) -> Alert:
        if "handled_at" in validated_data:
            handled = validated_data["handled_at"]
            by = self.context["request"].user.get_username()
            instance.handled_at = timezone.now() if handled else None
            instance.handled_by = by if handled else ""
            instance.save(update_fields=["handled_at", "handled_by"])
        return instance


class AlertFilter(FilterSet):
    open = filters.BooleanFilter(field_name="handled_at", lookup_expr="isnull")

    class Meta:
        model = Alert
        fields = ["rule__kind", "actor", "subject"]


class AlertPermissions(ModelPermissions):
    perms_map = {
        **ModelPermissions.perms_map,
        "PUT": ["audit.manage_alert"],
        "PATCH": ["audit.manage_alert"],
    }


class AlertViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Alert],
):
    queryset = Alert.objects.select_related("rule")
    serializer_class = AlertSerializer
    permission_classes = [AlertPermissions]
    pagination_class = KeysetPagination
    filterset_class = AlertFilter
