"""How the admin looks: Unfold's settings, its sidebar and its colours."""

from django.templatetags.static import static
from django.urls import reverse_lazy

UNFOLD = {
    "SITE_TITLE": "Carillon",
    "SITE_HEADER": "Carillon",
    "SITE_SUBHEADER": "Marketing automation",
    "SITE_SYMBOL": "notifications_active",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("contacts/favicon.svg")},
    ],
    "SHOW_HISTORY": False,
    "BORDER_RADIUS": "8px",
    "DASHBOARD_CALLBACK": "analytics.start_page.context",
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {"items": [{"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")}]},
        ],
    },
}
