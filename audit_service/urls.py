from django.contrib import admin
from django.urls import include, path, register_converter
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from audit_service.audit.api.alerts import AlertViewSet
from audit_service.audit.api.entries import EntryViewSet
from audit_service.audit.api.subjects import (
    CatalogueView,
    StateView,
    TimelineView,
    TransactionView,
)
from audit_service.audit.pages import views
from audit_service.audit.pages.converters import AnyTextConverter
from common.servicekit.health import healthz, readyz
from eventbus.inbox.running.health import dead, lost, parked, workers

register_converter(AnyTextConverter, "text")

router = DefaultRouter()
router.register("events", EntryViewSet)
router.register("alerts", AlertViewSet)

admin.site.site_header = admin.site.site_title = "Audit service"

handler404 = "common.servicekit.api.exceptions.page_not_found"
handler500 = "common.servicekit.api.exceptions.server_error"

urlpatterns = [
    path("", views.explorer, name="explorer"),
    path("newer/", views.newer, name="newer"),
    path("rates/", views.rates, name="rates"),
    path("events/<int:pk>/", views.entry_page, name="entry"),
    path("subjects/<str:aggregate>/<text:subject>/", views.subject_page, name="subject"),
    path("transactions/<text:correlation_id>/", views.transaction_page, name="transaction"),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("api/subjects/<str:aggregate>/<str:subject>/timeline/", TimelineView.as_view()),
    path("api/subjects/<str:aggregate>/<str:subject>/state/", StateView.as_view()),
    path("api/subjects/<str:aggregate>/state/", CatalogueView.as_view()),
    path("api/transactions/<str:correlation_id>/", TransactionView.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", require_safe(SpectacularSwaggerView.as_view()), name="docs"),
    path("api-auth/", include("rest_framework.urls")),
    path("healthz", healthz),
    path(
        "readyz",
        readyz(
            "eventbus_inbox.view_workerstate", workers=workers, parked=parked, dead=dead, lost=lost
        ),
    ),
]
