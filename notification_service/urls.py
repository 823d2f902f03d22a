from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from common.servicekit.health import healthz, readyz
from eventbus.inbox.running.health import dead, lost, parked, workers
from notification_service.notifications.api.deliveries import DeliveryViewSet
from notification_service.notifications.api.endpoints import EndpointViewSet
from notification_service.notifications.api.notifications import NotificationViewSet
from notification_service.notifications.api.subscriptions import SubscriptionViewSet
from notification_service.notifications.delivering.health import deliveries
from notification_service.notifications.pages import views

router = DefaultRouter()
router.register("notifications", NotificationViewSet)
router.register("subscriptions", SubscriptionViewSet)
router.register("endpoints", EndpointViewSet)
router.register("deliveries", DeliveryViewSet)

admin.site.site_header = admin.site.site_title = "Notification service"

handler404 = "common.servicekit.api.exceptions.page_not_found"
handler500 = "common.servicekit.api.exceptions.server_error"

urlpatterns = [
    path("", views.notifications, name="notifications"),
    path("newer/", views.newer, name="newer"),
    path("mark-read/<int:pk>/", views.mark_read, name="mark-read"),
    path("mark-all-read/", views.mark_all_read, name="mark-all-read"),
    path("subscriptions/", views.subscriptions, name="subscriptions"),
    path("subscriptions/new/", views.subscription, name="new-subscription"),
    path("subscriptions/<int:pk>/", views.subscription, name="subscription"),
    path("subscriptions/<int:pk>/switch/", views.switch_subscription, name="switch-subscription"),
    path("subscriptions/<int:pk>/delete/", views.delete_subscription, name="delete-subscription"),
    path("unsubscribe/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", require_safe(SpectacularSwaggerView.as_view()), name="docs"),
    path("api-auth/", include("rest_framework.urls")),
    path("healthz", healthz),
    path(
        "readyz",
        readyz(
            "eventbus_inbox.view_workerstate",
            workers=workers,
            parked=parked,
            dead=dead,
            lost=lost,
            deliveries=deliveries,
        ),
    ),
]
