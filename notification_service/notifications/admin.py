"""Admin pages for subscriptions, deliveries and message texts."""

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from eventbus.admin import ReadOnlyAdmin
from notification_service.notifications.delivering.resending import resend
from notification_service.notifications.models import (
    Circuit,
    Delivery,
    Endpoint,
    MessageTemplate,
    Notification,
    Product,
    Subscription,
)
from notification_service.notifications.pages.chart import chart
from notification_service.notifications.pages.forms import ProductIdsField
from notification_service.notifications.rendering import SHIPPED, shipped
from notification_service.notifications.statistics import statistics


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ["text", "user", "kind", "product_id", "created_at", "read_at"]
    list_filter = ["kind", ("read_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["text", "=product_id", "=user__username"]


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["__str__", "owner", "channel", "schedule", "is_active"]
    list_filter = ["channel", "condition", "schedule", "is_active"]
    list_select_related = ["owner"]
    search_fields = ["owner__username", "category", "text"]
    autocomplete_fields = ["owner", "endpoint"]
    fieldsets = [
        (None, {"fields": ["owner", "is_active"]}),
        ("When", {"fields": ["condition", "percent", "below", "event_types"]}),
        ("Products", {"fields": ["products", "category", "product_ids", "text"]}),
        ("Channel", {"fields": ["channel", "endpoint", "language"]}),
        (
            "Schedule",
            {"fields": ["schedule", "digest_hour", "quiet_from", "quiet_until", "time_zone"]},
        ),
    ]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "product_ids":
            return ProductIdsField(
                required=False, help_text="Separated by commas, for example 17, 18."
            )
        return super().formfield_for_dbfield(db_field, request, **options)


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "url", "owner", "is_active", "disabled_reason"]
    list_filter = ["is_active"]
    list_select_related = ["owner"]
    search_fields = ["name", "url", "owner__username"]
    autocomplete_fields = ["owner"]
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    readonly_fields = ["disabled_reason", "previous_until", "created_at"]
    actions = ["rotate"]

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            self._show_secret(request, obj)

    @admin.action(description="Rotate the secret", permissions=["change"])
    def rotate(self, request: HttpRequest, chosen: QuerySet[Endpoint]) -> None:
        for endpoint in chosen:
            endpoint.rotate()
            self.log_change(request, endpoint, "Rotated the secret.")
            self._show_secret(request, endpoint)

    def _show_secret(self, request: HttpRequest, endpoint: Endpoint) -> None:
        text = f"Copy the secret of {endpoint} now, it will not be shown again: {endpoint.secret}"
        self.message_user(request, text, messages.WARNING)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What was sent and when, the number of attempts, and the receivers' responses."""

    change_list_template = "admin/notifications/delivery/change_list.html"
    list_display = [
        "created_at",
        "channel",
        "owner",
        "facts",
        "product",
        "state",
        "attempts",
        "answer",
        "finished_at",
    ]
    list_filter = ["state", "channel", "in_digest", "endpoint"]
    list_select_related = ["owner", "event"]
    search_fields = ["=event__event_id", "=event__product_id", "=owner__username"]
    show_full_result_count = False
    actions = ["send_again"]

    @admin.display(description="product")
    def product(self, delivery: Delivery) -> str:
        return delivery.event.product_id

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Checked by Django for the permission of the action below."""
        return request.user.has_perm("notifications.resend_delivery")

    @admin.action(description="Resend", permissions=["resend"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = resend(Delivery.objects.filter(pk__in=chosen.values("pk")))
        self.message_user(request, f"Deliveries to be sent again: {count}.")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        charts = [chart(channel) for channel in statistics(Delivery.objects.all())]
        return super().changelist_view(request, {**(extra_context or {}), "charts": charts})


@admin.register(MessageTemplate)
class MessageTemplateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Custom texts. The default text is used for a message that has none."""

    list_display = ["kind", "language", "text"]
    list_filter = ["kind", "language"]
    readonly_fields = ["shipped_text"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "kind":
            from django.forms import ChoiceField

            return ChoiceField(choices=[(kind, str(kind)) for kind in SHIPPED])
        return super().formfield_for_dbfield(db_field, request, **options)

    @admin.display(description="Default text")
    def shipped_text(self, template: MessageTemplate) -> str:
        if template.pk:
            return shipped(template.kind, template.language)
        return " ".join(f"{kind}: {shipped(kind, 'en')}" for kind in SHIPPED)


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """The local replica of the products, which only events change."""

    list_display = ["name", "category", "price", "currency", "stock", "is_deleted", "sequence"]
    list_filter = ["is_deleted"]
    search_fields = ["name", "=id"]


@admin.register(Circuit)
class CircuitAdmin(ReadOnlyAdmin):
    """Circuit breakers of receivers that keep failing."""

    list_display = ["lane", "failures", "open_until", "is_open", "reason"]

    @admin.display(boolean=True, description="open")
    def is_open(self, circuit: Circuit) -> bool:
        return circuit.open_until is not None and circuit.open_until > timezone.now()
