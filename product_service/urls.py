from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import DefaultRouter

from common.servicekit.health import healthz, readyz
from eventbus.outbox.relaying.health import waiting
from eventbus.outbox.views import events_page
from product_service.products.api.views import ApiRoot, CategoryViewSet, ProductViewSet

router = DefaultRouter()
router.APIRootView = ApiRoot
router.register("products", ProductViewSet)
router.register("categories", CategoryViewSet)

admin.site.site_header = admin.site.site_title = "Product service"

handler404 = "common.servicekit.api.exceptions.page_not_found"
handler500 = "common.servicekit.api.exceptions.server_error"

urlpatterns = [
    path("", login_not_required(RedirectView.as_view(url="/api/products/"))),
    path("admin/", admin.site.urls),
    path("api/", include(router.urls)),
    path("api/events/", include("eventbus.outbox.urls")),
    path("events/", events_page),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", require_safe(SpectacularSwaggerView.as_view()), name="docs"),
    path("api-auth/", include("rest_framework.urls")),
    path("healthz", healthz),
    path("readyz", readyz("eventbus_outbox.view_outboxevent", outbox=waiting)),
]
