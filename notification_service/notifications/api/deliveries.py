"""API of the deliveries. Users see their own; those who may view deliveries see all."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from common.servicekit.api.filters import FilterSet
from common.servicekit.api.pagination import KeysetPagination
from notification_service.notifications.delivering.resending import resend
from notification_service.notifications.models import Delivery
from notification_service.notifications.own import OwnRows, OwnSerializer
from notification_service.notifications.statistics import DAYS, ChannelStatistics, Day, statistics


class DeliverySerializer(OwnSerializer[Delivery]):
    event_id = serializers.CharField(source="event.event_id", read_only=True)
    event_type = serializers.CharField(source="event.type", read_only=True)
    product_id = serializers.CharField(source="event.product_id", read_only=True)
    owner = serializers.CharField(source="owner.username", read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "subscription",
            "owner",
            "channel",
            "endpoint",
            "event_id",
            "event_type",
            "product_id",
            "facts",
            "in_digest",
            "state",
            "attempts",
            "due_at",
            "created_at",
            "finished_at",
            "answer",
        ]
        read_only_fields = fields


class DeliveryFilter(FilterSet):
    event_id = filters.CharFilter(field_name="event__event_id")
    product_id = filters.CharFilter(field_name="event__product_id")

    class Meta:
        model = Delivery
        fields = ["state", "channel", "subscription", "endpoint"]


class DaySerializer(serializers.Serializer[Day]):
    day = serializers.DateField()
    sent = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class ChannelStatisticsSerializer(serializers.Serializer[ChannelStatistics]):
    channel = serializers.CharField()
    pending = serializers.IntegerField(help_text="Number of deliveries not sent yet.")
    days = DaySerializer(many=True, help_text=f"The last {DAYS} days in UTC, oldest first.")


class DeliveryViewSet(
    OwnRows,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Delivery],
):
    queryset = Delivery.objects.select_related("event", "owner")
    serializer_class = DeliverySerializer
    permission_classes = [IsAuthenticated]
    pagination_class = KeysetPagination
    filterset_class = DeliveryFilter

    def get_queryset(self) -> QuerySet[Delivery]:
        if self.request.user.has_perm("notifications.view_delivery"):
            return viewsets.GenericViewSet.get_queryset(self)
        return super().get_queryset()

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resend(self, request: Request, pk: str, format: str | None = None) -> Response:
        """Send a delivery again with the same ``webhook-id``.

        Other users' deliveries require the permission to resend deliveries.
        """
        delivery = self.get_object()
        is_own = delivery.owner_id == request.user.pk
        if not is_own and not request.user.has_perm("notifications.resend_delivery"):
            raise PermissionDenied
        resend(Delivery.objects.filter(pk=delivery.pk))
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=ChannelStatisticsSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None, filterset_class=None)
    def statistics(self, request: Request, format: str | None = None) -> Response:
        """Numbers of deliveries per channel and day."""
        found = statistics(self.get_queryset().select_related(None))
        # The stubs only know a single instance.
        shown = ChannelStatisticsSerializer(found, many=True)  # type: ignore[arg-type]
        return Response(shown.data)
