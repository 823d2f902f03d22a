"""The form for subscriptions."""

from typing import Any, cast

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from eventbus.running.command_line import words
from notification_service.notifications.models import Endpoint, Product, Subscription
from notification_service.notifications.models.subscriptions import EVENT_TYPES, Channel
from notification_service.notifications.own import OwnForm


class ProductIdsField(forms.CharField):
    """Ids separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return list(dict.fromkeys(words(super().clean(value))))


class SubscriptionForm(OwnForm):
    event_types = forms.MultipleChoiceField(
        label="Event types",
        choices=[(name, name) for name in EVENT_TYPES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Choose none to match all event types.",
    )
    product_ids = ProductIdsField(
        label="Product ids", required=False, help_text="Separated by commas, as in 17, 18."
    )

    class Meta:
        model = Subscription
        fields = [
            "condition",
            "percent",
            "below",
            "products",
            "category",
            "product_ids",
            "text",
            "channel",
            "endpoint",
            "schedule",
            "digest_hour",
            "quiet_from",
            "quiet_until",
            "time_zone",
            "language",
            "event_types",
        ]
        labels = {
            "condition": "Notify me about",
            "percent": "Price drop of at least (%)",
            "below": "Or to a price below",
            "products": "Products",
            "channel": "Channel",
            "schedule": "When to send",
            "digest_hour": "Digest hour",
            "quiet_from": "Quiet hours from",
            "quiet_until": "Quiet hours until",
        }
        time = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        widgets = {
            "quiet_from": time,
            "quiet_until": time,
            "category": forms.TextInput(attrs={"list": "categories"}),
            "time_zone": forms.TextInput(attrs={"list": "time-zones"}),
        }

    def __init__(self, *args: Any, owner: AbstractBaseUser | AnonymousUser, **options: Any) -> None:
        super().__init__(*args, owner=owner, label_suffix="", **options)
        self.instance.owner = owner
        endpoints = cast("forms.ModelChoiceField[Endpoint]", self.fields["endpoint"]).queryset
        if endpoints is not None and not endpoints.exists():
            channels = [choice for choice in Channel.choices if choice[0] != Channel.WEBHOOK]
            cast(forms.ChoiceField, self.fields["channel"]).choices = channels


def categories() -> list[str]:
    """The categories that have products, to choose from."""
    found = Product.objects.filter(is_deleted=False).exclude(category="")
    return list(found.order_by("category").values_list("category", flat=True).distinct())
