"""How the admin looks: Unfold's settings, its colours, and the sidebar in marketers' words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy
from django.utils.functional import lazy

INDIGO = {
    "50": "oklch(96.2% .018 272.314)",
    "100": "oklch(93% .034 272.788)",
    "200": "oklch(87% .065 274.039)",
    "300": "oklch(78.5% .115 274.713)",
    "400": "oklch(74% .14 276)",
    "500": "oklch(69% .165 276.9)",  # the active menu entry on dark ground: any darker fails the contrast rule
    "600": "oklch(51.1% .262 276.966)",
    "700": "oklch(45.7% .24 277.023)",
    "800": "oklch(39.8% .195 277.366)",
    "900": "oklch(35.9% .144 278.697)",
    "950": "oklch(25.7% .09 281.288)",
}


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    app, name = model.split(".")
    return lambda request: request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")


def _is_open(model: str, *others: str) -> Callable[[HttpRequest], bool]:
    """Whether the page belongs to this entry: the list, one of its things, or a page that hangs below it."""
    parts = [name.replace(".", "/") for name in (model, *others)]
    return lambda request: any(f"/{part}/" in request.path for part in parts)


def _item(title: str, icon: str, model: str, *others: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model.replace('.', '_')}_changelist"),
        "permission": _may_view(model),
        "active": _is_open(model, *others),
    }


def _sandbox_inbox() -> dict[str, Any]:
    item = _item("Sandbox inbox", "inbox", "delivery.sandboxmail")
    may_view = item["permission"]

    def in_sandbox(request: HttpRequest) -> bool:
        from django.conf import settings

        return settings.EMAIL_PROVIDER == "sandbox" and may_view(request)

    return {**item, "permission": in_sandbox}


def _may_see_versions(request: HttpRequest) -> bool:
    return any(request.user.has_perm(f"scoring.{deed}_ruleset") for deed in ("view", "change", "add"))


def _back_tests() -> dict[str, Any]:
    return {**_item("Back-tests", "history", "scoring.backtest"), "permission": _may_see_versions}  # as the page does


def _website_tracking() -> dict[str, Any]:
    item = _item("Website tracking", "sensors", "contacts.apikey")
    return {**item, "link": reverse_lazy("admin:contacts_website"), "active": _is_open("contacts.apikey.website")}


def _keys() -> dict[str, Any]:
    item = _item("API keys", "key", "contacts.apikey")
    active = item["active"]
    return {**item, "active": lambda request: active(request) and "/apikey/website/" not in request.path}


def _export() -> dict[str, Any]:
    return {
        "title": "Export",
        "icon": "download",
        "link": reverse_lazy("admin:contacts_export"),
        "permission": lambda request: request.user.has_perms(
            ["contacts.export_contacts", "contacts.see_personal_data"]
        ),
        "active": lambda request: request.path == reverse("admin:contacts_export"),
    }


def _may_see_settings(request: HttpRequest) -> bool:
    from config.settings_page import may_see

    return may_see(request)


def _messages() -> dict[str, Any]:
    item = _item("Messages", "send", "delivery.message")
    active = item["active"]
    return {**item, "active": lambda request: active(request) and not _asks_for_refused(request)}


def _refused_messages() -> dict[str, Any]:
    item = _item("Refused messages", "cancel_schedule_send", "delivery.message")
    link = lazy(lambda: f"{reverse('admin:delivery_message_changelist')}?state=rejected", str)
    return {**item, "link": link(), "active": _asks_for_refused}


def _pressure() -> dict[str, Any]:
    return {
        "title": "Pressure",
        "icon": "compress",
        "link": reverse_lazy("admin:analytics_counter_pressure"),
        "permission": lambda request: request.user.has_perm("delivery.view_message"),
        "active": _is_open("analytics.counter.pressure"),
    }


def _asks_for_refused(request: HttpRequest) -> bool:
    return request.path.endswith("/delivery/message/") and request.GET.get("state") == "rejected"


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(items)}


UNFOLD = {
    "SITE_TITLE": "Carillon",
    "SITE_HEADER": "Carillon",
    "SITE_SUBHEADER": "Marketing automation",
    "SITE_SYMBOL": "notifications_active",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("contacts/favicon.svg")},
    ],
    "STYLES": [lambda request: static("contacts/admin.css")],
    "SCRIPTS": [lambda request: static("contacts/names.js")],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": INDIGO},
    "LOGIN": {"form": "contacts.pages.login.LoginForm"},
    "ACCOUNT": {
        "navigation": [
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
            {"title": "Two-factor login", "link": reverse_lazy("second-factor")},
        ]
    },
    "DASHBOARD_CALLBACK": "analytics.pages.start_page.context",
    "SIDEBAR": {
        "show_search": True,
        "command_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    {"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")},
                    {
                        **_item("Alerts", "notifications", "analytics.alert"),
                        "badge": "analytics.pages.alerts_badge.open_count",
                    },
                    {
                        **_item("Queue health", "monitor_heart", "analytics.latency"),
                        "badge": "analytics.pages.queue_badge.trouble_count",
                    },
                    _item("Freeze", "ac_unit", "contacts.freeze"),
                ]
            },
            _group(
                "Engage",
                _item(
                    "Journeys",
                    "account_tree",
                    "workflows.workflow",
                    "workflows.enrolment",
                    "workflows.entryrefusal",
                    "analytics.counter.journey",
                ),
                _item("Failed steps", "error", "workflows.deadletter"),
                _item("Email templates", "mail", "delivery.template"),
                _item("Sales tasks", "support_agent", "workflows.salestask"),
                _sandbox_inbox(),
            ),
            _group(
                "Audience",
                _item("Contacts", "contacts", "contacts.contact"),
                _item("Merges", "merge", "contacts.contactmerge"),
                _item("Segments", "groups", "contacts.segment"),
                _item("Lists", "list_alt", "contacts.list"),
                _item("Events", "bolt", "contacts.contactevent", "contacts.quarantinedevent"),
                _item("Tags", "sell", "contacts.tag"),
                {
                    **_item("Imports", "upload_file", "contacts.importrun"),
                    "active": lambda request: "/importrun/" in request.path and not _export()["active"](request),
                },
                _export(),
                _item("Suppressions", "block", "delivery.suppression"),
                _item("Privacy", "shield_person", "contacts.privacydeed"),
            ),
            _group(
                "Measure",
                _item("Reports", "bar_chart", "analytics.reportsubscription"),
                _item("Experiments", "science", "analytics.experiment"),
                _item("Warehouse", "database", "analytics.warehouserun"),
                _item("Scoring", "speed", "scoring.ruleset"),
                _back_tests(),
                _item("Leaderboard", "leaderboard", "scoring.scorecrossing"),
                _item(
                    "Lifecycle",
                    "trending_up",
                    "scoring.lifecycleevent",
                    "scoring.progressionrule",
                    "scoring.stagelabel",
                ),
            ),
            _group(
                "Delivery",
                {
                    **_item("Deliverability", "monitoring", "delivery.posttally"),
                    "badge": "delivery.pages.badge.trouble_count",
                },
                _pressure(),
                _item("Sending domains", "public", "delivery.sendingdomain"),
                _item("Seed list", "inbox", "delivery.seedaddress"),
                _messages(),
                _refused_messages(),
                _item("Providers", "dns", "delivery.provider"),
            ),
            _group(
                "Settings",
                _website_tracking(),
                _keys(),
                _item("Webhooks", "webhook", "delivery.webhookdelivery"),
                _item("Outgoing webhooks", "outbound", "delivery.webhookendpoint"),
                {
                    "title": "Settings",
                    "icon": "tune",
                    "link": reverse_lazy("settings-page"),
                    "permission": _may_see_settings,
                },
                _item("Users", "person", "auth.user"),
                _item("Groups", "group", "auth.group"),
                _item("Audit log", "history", "contacts.auditentry"),
                _item("Schedules", "schedule", "django_celery_beat.periodictask"),
            ),
        ],
    },
}
