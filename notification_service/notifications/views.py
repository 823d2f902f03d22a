"""The inbox page."""

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from notification_service.notifications.models import Notification

SHOWN = 100


@login_required
@permission_required("notifications.view_notification", raise_exception=True)
def inbox(request: HttpRequest) -> HttpResponse:
    """The newest notifications, unread ones marked."""
    unread = Notification.objects.filter(read_at__isnull=True).count()
    newest = Notification.objects.all()[:SHOWN]
    return render(request, "notifications/inbox.html", {"notifications": newest, "unread": unread})


@require_POST
@login_required
@permission_required("notifications.change_notification", raise_exception=True)
def mark_all_read(request: HttpRequest) -> HttpResponse:
    Notification.objects.filter(read_at__isnull=True).update(read_at=timezone.now())
    return redirect("inbox")
