from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from common.inbox.health import dead, parked, workers
from common.observability.health import healthz, readyz
from notification_service.notifications.api import NotificationViewSet
from notification_service.notifications.views import inbox, mark_all_read

router = DefaultRouter()
router.register("notifications", NotificationViewSet)

admin.site.site_header = admin.site.site_title = "Notification service"

handler404 = "common.api.exceptions.page_not_found"
handler500 = "common.api.exceptions.server_error"

urlpatterns = [
    path("", inbox, name="inbox"),
    path("mark-all-read/", mark_all_read, name="mark-all-read"),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(), name="docs"),
    path("api-auth/", include("rest_framework.urls")),
    path("healthz", healthz),
    path("readyz", readyz(workers=workers, parked=parked, dead=dead)),
]
