"""The pages for users: their notifications and subscriptions."""

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from notification_service.notifications.channels.unsubscribing import subscription_of
from notification_service.notifications.models import Notification, Product, Subscription
from notification_service.notifications.own import owned
from notification_service.notifications.pages.forms import SubscriptionForm, categories
from notification_service.notifications.previews import preview

View = Callable[..., HttpResponse]
SHOWN = 50


@login_required
def notifications(request: HttpRequest) -> HttpResponse:
    """List the latest notifications of the user. New ones appear without reloading."""
    before = _number(request.GET.get("before"))
    own = owned(Notification.objects.all(), request.user)
    if before is not None:
        own = own.filter(pk__lt=before)
    found = list(own[: SHOWN + 1])
    shown = found[:SHOWN]
    context = {
        **_rows(request, shown, is_live=before is None),
        "older": shown[-1].pk if len(found) > SHOWN else None,
        "follows": owned(Subscription.objects.filter(is_active=True), request.user).exists(),
    }
    return render(request, "notifications/notifications.html", context)


@login_required
def newer(request: HttpRequest) -> HttpResponse:
    """Return notifications since the last poll, the number of unread ones, and the next poll."""
    after = _number(request.GET.get("after")) or 0
    found = owned(Notification.objects.filter(pk__gt=after), request.user)[:SHOWN]
    context = _rows(request, list(found), is_live=True, after=after)
    return render(request, "notifications/newer.html", context)


@require_POST
@login_required
def mark_read(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a notification as read."""
    notification = get_object_or_404(owned(Notification.objects.all(), request.user), pk=pk)
    if notification.read_at is None:
        notification.read_at = timezone.now()
        notification.save(update_fields=["read_at"])
    if "HX-Request" not in request.headers:
        return redirect("notifications")
    return render(request, "notifications/marked.html", _rows(request, [notification]))


@require_POST
@login_required
def mark_all_read(request: HttpRequest) -> HttpResponse:
    """Mark all notifications of the user as read."""
    own = owned(Notification.objects.filter(read_at__isnull=True), request.user)
    own.update(read_at=timezone.now())
    return redirect("notifications")


@login_required
def subscriptions(request: HttpRequest) -> HttpResponse:
    """List the subscriptions of the user."""
    own = owned(Subscription.objects.all(), request.user).select_related("endpoint")
    return render(request, "notifications/subscriptions.html", {"subscriptions": own})


@login_required
def subscription(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Create or edit a subscription, with an optional preview before saving."""
    own = owned(Subscription.objects.all(), request.user)
    old = get_object_or_404(own, pk=pk) if pk else None
    form = SubscriptionForm(request.POST or None, instance=old, owner=request.user)
    shown = None
    if request.method == "POST" and form.is_valid():
        if "preview" not in request.POST:
            form.save()
            messages.success(request, "Subscription saved.")
            return redirect("subscriptions")
        shown = preview(form.instance)
    context = {
        "form": form,
        "subscription": old,
        "preview": shown,
        "categories": categories(),
        "time_zones": sorted(available_timezones()),
        "knows_products": Product.objects.exists(),
    }
    return render(request, "notifications/subscription.html", context)


@require_POST
@login_required
def switch_subscription(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause a subscription, or resume it."""
    found = get_object_or_404(owned(Subscription.objects.all(), request.user), pk=pk)
    found.is_active = not found.is_active
    found.save(update_fields=["is_active"])
    return redirect("subscriptions")


@require_POST
@login_required
def delete_subscription(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a subscription. Its pending deliveries are cancelled."""
    get_object_or_404(owned(Subscription.objects.all(), request.user), pk=pk).delete()
    messages.success(request, "Subscription deleted.")
    return redirect("subscriptions")


@login_not_required  # the link in the mail is signed
@csrf_exempt  # for one-click unsubscribe (RFC 8058); the link is signed
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End a subscription without a login. Requires a POST, because mail scanners follow links."""
    found = subscription_of(token)
    if found is None:
        return render(request, "notifications/unsubscribe.html", {"unknown": True}, status=404)
    if request.method == "POST" and found.is_active:
        found.is_active = False
        found.save(update_fields=["is_active"])
    with translation.override(found.language):
        context = {"is_done": not found.is_active, "language": found.language, "unknown": False}
        return render(request, "notifications/unsubscribe.html", context)


def _rows(
    request: HttpRequest, shown: list[Notification], is_live: bool = False, after: int = 0
) -> dict[str, Any]:
    own = owned(Notification.objects.all(), request.user)
    return {
        "notifications": shown,
        "newest": shown[0].pk if shown else after,
        "is_live": is_live,
        "unread": own.filter(read_at__isnull=True).count(),
    }


def _number(text: str | None) -> int | None:
    """Parse a row id from the query string; None if it is not a number."""
    return int(text) if text and text.isdecimal() and len(text) < 19 else None
