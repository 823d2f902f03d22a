"""The pages about the events that a service publishes.

::

    path("events/", include("eventbus.outbox.urls"))

``SCHEMA_URL`` is then the address of the site followed by ``/events/schema/``.
"""

from django.urls import path

from eventbus.outbox.views import event_schema, events_page

app_name = "eventbus_outbox"
urlpatterns = [
    path("", events_page, name="events"),
    path("schema/<str:event_type>/", event_schema, name="first-schema"),
    path("schema/<str:event_type>/v<int:version>/", event_schema, name="schema"),
]
