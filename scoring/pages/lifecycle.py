"""The lifecycle log, to read; and what scoring adds to a contact's page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.pages import floors
from contacts.pages.cells import link, moment, pill
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.floors import Sample
from scoring.lifecycle import stages, wording
from scoring.models import LifecycleEvent
from scoring.pages import funnel, moving


def stage_names(contact_ids: Collection[int]) -> Mapping[int, str]:
    names = stages.labels()
    return {id: names[stage] for id, stage in stages.current_stages(contact_ids).items()}


@admin.register(LifecycleEvent)
class LifecycleEventAdmin(RecordAdmin):
    list_display = ("who", "move", "reason", "way", "when")
    list_display_links = ("move",)
    list_before_template = "admin/scoring/lifecycle_tabs.html"
    title_of_list = "Lifecycle"
    nouns = ("move", "moves")
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"
    empty = Empty(
        "trending_up",
        "Nobody has moved yet",
        "When a score crosses the threshold, or a journey moves somebody, the move is kept here for ever.",
        deed=Sample("Look at the scoring rules", "admin:scoring_ruleset_changelist", "scoring.view_ruleset"),
    )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("funnel/", wrap(self.funnel_view), name="scoring_lifecycleevent_funnel"),
            path("stage/<slug:stage>/", wrap(self.stage_view), name="scoring_lifecycleevent_stage"),
            path("move/<int:contact_id>/", wrap(self.move_view), name="scoring_lifecycleevent_move"),
            *super().get_urls(),
        ]

    def funnel_view(self, request: HttpRequest) -> HttpResponse:
        return funnel.funnel_view(request, self)

    def stage_view(self, request: HttpRequest, stage: str) -> HttpResponse:
        return funnel.stage_view(request, self, stage)

    def move_view(self, request: HttpRequest, contact_id: int) -> HttpResponse:
        return moving.move_view(request, self.admin_site, contact_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"tab": "moves", **(extra_context or {})})

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
        before = stages.label(row.from_stage) if row.from_stage else "New"
        return format_html('{} <span class="cl-faint">→</span> {}', before, pill(stages.label(row.to_stage), "info"))

    @admin.display(description="Came by")
    def way(self, row: LifecycleEvent) -> str:
        return wording.way(row.source, row.actor)

    @admin.display(description="When")
    def when(self, row: LifecycleEvent) -> SafeString:
        return moment(row.occurred_at, seconds=True)

    def record(self, request: HttpRequest, row: LifecycleEvent, *, now: datetime) -> dict[str, Any]:
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        return {
            "name": f"{contact}: {stages.label(row.to_stage)}",
            "facts": [
                ("Contact", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
                ("Move", self.move(row)),
                ("Reason", row.reason),
                ("Came by", self.way(row)),
                ("When", moment(row.occurred_at, seconds=True)),
            ],
        }


floors.register_stages(stage_names)
