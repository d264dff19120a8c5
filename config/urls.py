"""Every route of the house; each app keeps its own list."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("config.health")),
    path("", include("contacts.urls")),
    path("", include("delivery.urls")),
    path("", include("workflows.urls")),
    path("", include("analytics.urls")),
]
