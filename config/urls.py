"""Every route of the house; each app keeps its own list."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import settings_page
from contacts import problems
from contacts.pages import second_factor

admin.autodiscover()  # the pages of all apps, where they are shown and nowhere else: workers start quicker without

urlpatterns = [
    re_path(
        r"^(admin)?$", RedirectView.as_view(url="/admin/"), name="front-door"
    ),  # people type less than a whole address
    path("admin/settings/", admin.site.admin_view(settings_page.view), name="settings-page"),
    *second_factor.urlpatterns,
    path("admin/", admin.site.urls),
    path("", include("config.health")),
    re_path(r"^api/v1/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^api/v1/docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("", include("contacts.urls")),
    path("", include("scoring.urls")),
    path("", include("delivery.urls")),
    path("", include("workflows.urls")),
    path("", include("analytics.urls")),
    re_path(r"^api/", problems.no_such_address),  # behind every other address of the API
]

# below /api/ every error has the shape of a problem; elsewhere it is the page that people expect
handler400 = "contacts.problems.bad_request"
handler404 = "contacts.problems.page_not_found"
handler500 = "contacts.problems.server_error"
