"""The log while it grows: the newest events, looked at again every two seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from contacts import catalogue, clock
from contacts.models import ContactEvent, SeenEvent
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.intake_figures import KINDS, figures
from contacts.timeline_sources import summary

SHOWN = 50
LOOKED_AT = 200_000  # of the newest events: there is no index on a type alone
TYPES_OFFERED = 500
SOURCES = {
    "api": "API",
    "segment": "Tracking API",
    "browser": "Web pages",
    "kafka": "Kafka",
    "import": "Import",
    "own": "Carillon itself",
}


@dataclass(frozen=True)
class Wish:
    """Which events somebody wants to see; empty: all."""

    type: str
    source: str
    contact: str

    @classmethod
    def of(cls, request: HttpRequest) -> Wish:
        asked = {name: request.GET.get(name, "").strip().replace("\x00", "") for name in ("type", "source", "contact")}
        return cls(**asked)


def newest(wish: Wish) -> list[Any]:
    """The newest SHOWN events that are wanted. Whoever looks again gets the same ones and those that came since: what
    was written earlier and committed later is not missed, as it would be by asking for higher ids."""
    last = ContactEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    events = ContactEvent.objects.filter(id__gt=last - LOOKED_AT).order_by("-id")
    if wish.type:
        events = events.filter(type=wish.type)
    if wish.source:
        events = events.filter(source=wish.source)
    if wish.contact:
        events = events.filter(contact_id__in=contact_ids_of(wish.contact))
    found: list[Any] = list(events[:SHOWN])
    names = names_of({event.contact_id for event in found})
    for event in found:
        event.shown_contact = names.get(event.contact_id, f"Contact {event.contact_id}")
        event.shown_summary = summary(event.properties if isinstance(event.properties, dict) else {})
        event.shown_source = SOURCES.get(event.source, event.source)
    return found


def page(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """The page itself, complete without a script."""
    _require(request, model_admin)
    wish = Wish.of(request)
    types = SeenEvent.objects.filter(property="").order_by("event_type").values_list("event_type", flat=True)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Live events",
        "crumbs": model_admin.crumbs("Live"),
        "tab": "live",
        "wish": wish,
        "types": types[:TYPES_OFFERED],
        "most_types": catalogue.MOST_TYPES,
        "sources": SOURCES.items(),
        "events": newest(wish),
        **_figures(),
    }
    return TemplateResponse(request, "admin/contacts/live_events.html", context)


def rows(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """What the page's script asks for: the rows anew, and the figures."""
    _require(request, model_admin)
    found = newest(Wish.of(request))
    return JsonResponse(
        {
            "rows": render_to_string("admin/contacts/live_rows.html", {"events": found}, request),
            "figures": render_to_string("admin/contacts/intake_figures.html", _figures(), request),
        }
    )


def _figures() -> dict[str, Any]:
    return {"figures": figures(clock.now()), "kinds": KINDS}


def _require(request: HttpRequest, model_admin: Any) -> None:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
