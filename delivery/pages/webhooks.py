"""The webhooks page: where providers report to, whether they are believed, and how their reports come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from contacts import clock
from contacts.pages.changelists import ReadOnlyAdmin
from delivery import figures, providers
from delivery.models import WebhookDelivery
from delivery.pages import provider_roles
from delivery.providers.base import Entry, setting
from delivery.webhooks import standing
from delivery.webhooks.standing import Inflow

LATE = 60.0  # seconds after which somebody should ask why reports are not taken in


@dataclass(frozen=True)
class Way:
    """A provider that may report. `keys`: the settings by which it is believed, and whether each is set; none: it is
    believed without any."""

    name: str
    address: str
    role: str
    is_in_use: bool
    proof: str
    keys: tuple[tuple[str, bool], ...]
    inflow: Inflow
    behind_seconds: float

    @property
    def is_believed(self) -> bool:
        return all(is_set for _, is_set in self.keys)

    @property
    def is_late(self) -> bool:
        return self.behind_seconds > LATE


def ways(*, now: datetime) -> list[Way]:
    """Every provider that can report, those in use and those that reported first."""
    heard = standing.inflows(now=now)
    found = [_way(entry, heard.get(name, Inflow()), now) for name, entry in sorted(providers.entries().items())]
    return sorted((way for way in found if way), key=lambda way: (not way.is_in_use, providers.title(way.name).lower()))


def _way(entry: Entry, inflow: Inflow, now: datetime) -> Way | None:
    if entry.vendor is None or not (entry.channels or entry.proof):  # our own links report without a webhook
        return None
    if entry.name == "sandbox" and settings.EMAIL_PROVIDER != "sandbox":
        return None
    keys = tuple((name, bool(setting(name))) for name in (entry.advised or entry.proved_by))
    is_chosen = any(entry.name in providers.names(channel) for channel in providers.CHANNELS)
    return Way(
        name=entry.name,
        address=f"{settings.PUBLIC_URL}/webhooks/{entry.name}/",
        role=provider_roles.role(entry.name),
        is_in_use=is_chosen or inflow.last_at is not None or any(is_set for _, is_set in keys),
        proof=entry.proof,
        keys=keys,
        inflow=inflow,
        behind_seconds=inflow.behind_seconds(now),
    )


@admin.register(WebhookDelivery)
class WebhooksAdmin(ReadOnlyAdmin):
    title_of_list = "Webhooks"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        found = ways(now=now)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Webhooks",
            "crumbs": self.crumbs(),
            "now": now,
            "in_use": [way for way in found if way.is_in_use],
            "others": [way for way in found if not way.is_in_use],
            "senders": sorted(providers.title(each) for each in _silent() if each),
            "open": figures.open_now(),
            "may_see_website": request.user.has_perm("contacts.view_apikey"),
            "signs_calls": bool(settings.WEBHOOK_SIGNING_SECRET),
        }
        return TemplateResponse(request, "admin/delivery/webhooks.html", context)


def _silent() -> set[str]:
    """Providers in use that send no reports."""
    chosen = {name for channel in providers.CHANNELS for name in providers.names(channel)}
    return {name for name in chosen if (entry := providers.entries().get(name)) and entry.vendor is None}
