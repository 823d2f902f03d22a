from django.contrib import admin
from django.urls import path

from eventbus.outbox.views import event_schema, events_page

urlpatterns = [
    path("admin/", admin.site.urls),
    path("events/", events_page),
    path("events/<event_type>/v<int:version>/", event_schema, name="event-schema"),
]
