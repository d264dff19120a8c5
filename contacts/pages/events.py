"""The event log, to read. It is append-only: nothing here, or anywhere, changes an event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import clock
from contacts.models import ContactEvent
from contacts.pages import live
from contacts.pages.cells import link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.floors import Sample
from contacts.pages.live import LOOKED_AT
from contacts.timeline_sources import describe, summary

TYPES_FROM = 5_000


def _newest_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(id), 0) FROM contact_events")
        return cursor.fetchone()[0]


class TypeFilter(admin.SimpleListFilter):
    title = f"type, among the newest {LOOKED_AT:,}"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        """The types among the newest few thousand events: a list of all types would read the whole log."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT type FROM (SELECT type FROM contact_events ORDER BY id DESC LIMIT %s) t ORDER BY type",
                [TYPES_FROM],
            )
            seen = [row[0] for row in cursor.fetchall()]
        chosen = self.value()
        return [(name, name) for name in sorted({*seen, *([chosen] if chosen else [])})]

    def value(self) -> str:
        return (super().value() or "").replace("\x00", "")  # no type has it, and PostgreSQL could not be asked

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        return queryset.filter(type=self.value(), id__gt=_newest_id() - LOOKED_AT)


class RecordedFilter(admin.SimpleListFilter):
    """Spans that end now."""

    title = "recorded"
    parameter_name = "recorded"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("hour", "In the past hour"), ("today", "Today (UTC)"), ("week", "In the past 7 days")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        now = clock.now()
        since = {
            "hour": now - timedelta(hours=1),
            "today": now.replace(hour=0, minute=0, second=0, microsecond=0),
            "week": now - timedelta(days=7),
        }.get(self.value() or "")
        return queryset.filter(recorded_at__gte=since) if since else queryset


class HeldFilter(admin.SimpleListFilter):
    title = "consent"
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("no", "Used"), ("yes", "Held back: no tracking consent")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(processed=self.value() == "no", id__gt=_newest_id() - LOOKED_AT)


@admin.register(ContactEvent)
class ContactEventAdmin(RecordAdmin):
    list_display = ("what", "who", "occurred", "source", "used")
    list_display_links = ("what",)
    list_filter = (TypeFilter, RecordedFilter, HeldFilter)
    scanning = ("recorded",)
    list_before_template = "admin/contacts/event_tabs.html"
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"
    empty = Empty(
        "bolt",
        "No events yet",
        "Events arrive over the API, from your web pages, or from an import. For a key to send the first one:",
        ".venv/bin/python manage.py create_api_key --name first --scopes events:write",
        deed=Sample("Make a key", "admin:contacts_apikey_add", "contacts.add_apikey"),
        sample=Sample("Follow a website", "admin:contacts_website", "contacts.view_apikey"),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"tab": "log", **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        def at(address: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(address, self.admin_site.admin_view(partial(view, model_admin=self)), name=name)

        return [
            at("live/", live.page, "contacts_contactevent_live"),
            at("live/rows/", live.rows, "contacts_contactevent_live_rows"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact_id__in=contact_ids_of(search_term)), False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        known = names_of({event.contact_id for event in rows})
        for event in rows:
            event.shown_contact = known.get(event.contact_id, f"Contact {event.contact_id}")

    @admin.display(description="Event")
    def what(self, event: ContactEvent) -> SafeString:
        return stacked(event.type, summary(event.properties if isinstance(event.properties, dict) else {}))

    @admin.display(description="Contact")
    def who(self, event: Any) -> SafeString:
        return link(event.shown_contact, reverse("admin:contacts_contact_change", args=[event.contact_id]))

    @admin.display(description="Occurred")
    def occurred(self, event: ContactEvent) -> SafeString:
        return moment(event.occurred_at, seconds=True)

    @admin.display(description="Used")
    def used(self, event: ContactEvent) -> SafeString:
        return pill("Used", "good") if event.processed else pill("Held back", "warn")

    def record(self, request: HttpRequest, row: ContactEvent, *, now: datetime) -> dict[str, Any]:
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        why = "" if row.processed else "no tracking consent when it came: stored, and never used for anything"
        facts = [
            ("Type", format_html('<code class="cl-code">{}</code>', row.type)),
            ("Contact", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
            ("Occurred", moment(row.occurred_at, seconds=True)),
            ("Recorded", moment(row.recorded_at, seconds=True)),
            ("Came by", row.source),
            ("Use", format_html("{} {}", self.used(row), why)),
            ("Number", row.pk),
            ("Deduplication key", format_html('<code class="cl-code">{}</code>', bytes(row.key_hash).hex())),
        ]
        if row.recorded_contact_id != row.contact_id:
            facts.insert(2, ("Recorded for", f"contact {row.recorded_contact_id}, merged since"))
        return {
            "name": describe(row.type)[0],
            "facts": facts,
            "documents": [("Properties", row.properties), ("Context", row.context)],
        }
