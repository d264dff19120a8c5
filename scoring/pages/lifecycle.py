"""The lifecycle log, to read; and what scoring adds to a contact's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.pages import floors
from contacts.pages.cells import link, moment, pill
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from scoring.lifecycle import stages
from scoring.models import LifecycleEvent

ABBREVIATED = {"mql": "MQL", "sql": "SQL"}


def stage_name(stage: str) -> str:
    return ABBREVIATED.get(stage) or stage.capitalize() or "None"


def stage_names(contact_ids: Any) -> Mapping[int, str]:
    return {id: stage_name(stage) for id, stage in stages.current_stages(contact_ids).items()}


@admin.register(LifecycleEvent)
class LifecycleEventAdmin(RecordAdmin):
    list_display = ("who", "move", "reason", "source", "when")
    list_display_links = ("move",)
    title_of_list = "Lifecycle"
    nouns = ("move", "moves")
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"
    empty = Empty(
        "trending_up",
        "Nobody has moved yet",
        "When a score crosses the threshold, or a journey moves somebody, the move is kept here for ever.",
    )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact_id__in=contact_ids_of(search_term)), False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({row.contact_id for row in rows})
        for row in rows:
            row.shown_contact = contacts.get(row.contact_id, f"Contact {row.contact_id}")

    @admin.display(description="Contact")
    def who(self, row: Any) -> SafeString:
        return link(row.shown_contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))

    @admin.display(description="Move")
    def move(self, row: LifecycleEvent) -> SafeString:
        before = stage_name(row.from_stage) if row.from_stage else "New"
        return format_html('{} <span class="cl-faint">→</span> {}', before, pill(stage_name(row.to_stage), "info"))

    @admin.display(description="When")
    def when(self, row: LifecycleEvent) -> SafeString:
        return moment(row.occurred_at, seconds=True)

    def record(self, request: HttpRequest, row: LifecycleEvent, *, now: datetime) -> dict[str, Any]:
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        return {
            "name": f"{contact}: {stage_name(row.to_stage)}",
            "facts": [
                ("Contact", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
                ("Move", self.move(row)),
                ("Reason", row.reason),
                ("Came by", row.source),
                ("When", moment(row.occurred_at, seconds=True)),
            ],
        }


floors.register_stages(stage_names)
