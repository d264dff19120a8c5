"""Events that could not be taken: why, what they looked like, and a button to try again."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import quarantine, transactions
from contacts.models import QuarantinedEvent
from contacts.pages.cells import moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.floors import Sample
from contacts.pages.live import SOURCES
from contacts.quarantine import Retried

SHORT = 90  # characters of an event in the list


class SourceFilter(admin.SimpleListFilter):
    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(source, name) for source, name in SOURCES.items() if source not in {"own", "import"}]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(source=self.value()) if self.value() in SOURCES else queryset


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("kept", "Not taken"), ("released", "Taken since")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(released_at__isnull=self.value() == "kept") if self.value() else queryset


@admin.register(QuarantinedEvent)
class QuarantinedEventAdmin(RecordAdmin):
    list_display = ("received", "reason", "looks_like", "way", "state")
    list_display_links = ("received",)
    list_filter = (SourceFilter, StateFilter)
    list_before_template = "admin/contacts/event_tabs.html"
    ordering = ("-id",)
    scanning = ("source", "state")
    actions = ("try_these_again",)
    record_template = "admin/contacts/quarantined_event.html"
    title_of_list = "Quarantine"
    nouns = ("event in quarantine", "events in quarantine")
    empty = Empty(
        "verified",
        "Nothing in quarantine",
        "Events that cannot be taken are kept here for a few days, with the reasons, while their neighbours go on.",
        deed=Sample(
            "Look at the events that were taken", "admin:contacts_contactevent_changelist", "contacts.view_contactevent"
        ),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"tab": "quarantine", **(extra_context or {})})

    def has_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.change_quarantinedevent")

    @admin.display(description="Received")
    def received(self, row: QuarantinedEvent) -> SafeString:
        return moment(row.received_at, seconds=True)

    @admin.display(description="Reason")
    def reason(self, row: QuarantinedEvent) -> SafeString:
        said = [sentence(error) for error in row.errors]
        more = f"and {len(said) - 1} more" if len(said) > 1 else ""
        return stacked(said[0] if said else "", more)

    @admin.display(description="Event")
    def looks_like(self, row: QuarantinedEvent) -> SafeString:
        return format_html('<code class="cl-code">{}</code>', row.raw[:SHORT] + ("…" if len(row.raw) > SHORT else ""))

    @admin.display(description="Came by")
    def way(self, row: QuarantinedEvent) -> SafeString:
        return stacked(SOURCES.get(row.source, row.source), row.origin)

    @admin.display(description="State")
    def state(self, row: QuarantinedEvent) -> SafeString:
        return pill("Taken since", "good") if row.released_at else pill("Not taken", "warn")

    def record(self, request: HttpRequest, row: QuarantinedEvent, *, now: datetime) -> dict[str, Any]:
        facts = [
            ("State", self.state(row)),
            ("Received", moment(row.received_at, seconds=True)),
            ("Came by", SOURCES.get(row.source, row.source)),
            ("From", row.origin or "–"),
            ("Number", row.pk),
        ]
        if row.released_at:
            facts.insert(1, ("Taken", moment(row.released_at, seconds=True)))
        return {
            "name": "Event in quarantine",
            "facts": facts,
            "errors": [(error.get("code", ""), sentence(error)) for error in row.errors],
            "payload": pretty(row.raw),
            "is_clipped": row.raw.endswith(quarantine.CLIPPED),
            "may_try_again": row.released_at is None and self.has_again_permission(request),
        }

    # -- trying again --------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        again = self.admin_site.admin_view(self.again_view)
        return [path("<int:pk>/again/", again, name="contacts_quarantinedevent_again"), *super().get_urls()]

    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST" or not self.has_again_permission(request):
            raise PermissionDenied
        self._try([pk], request)
        return HttpResponseRedirect(reverse("admin:contacts_quarantinedevent_change", args=[pk]))

    @admin.action(description="Try again", permissions=["again"])
    def try_these_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        chosen = queryset.order_by("id").values_list("pk", flat=True)
        self._try(list(chosen[: quarantine.MOST_AT_ONCE]), request)

    def _try(self, ids: list[int], request: HttpRequest) -> None:
        def again(now: datetime) -> Retried:
            return quarantine.try_again(ids, now=now)

        outcome = transactions.run(again)
        if outcome.taken:
            messages.success(request, f"Taken: {outcome.taken:,}.")
        if outcome.refused:
            messages.warning(request, f"Still not taken: {outcome.refused:,}. The reasons are up to date.")
        if not outcome.taken and not outcome.refused:
            messages.info(request, "These had been taken already.")


def sentence(error: dict[str, Any]) -> str:
    """The place that is at fault, and what is wrong with it."""
    place = ".".join(str(step) for step in error.get("loc", ()))
    return f"{place} {error.get('msg', '')}".strip()


def pretty(raw: str) -> str:
    """Indented where it is JSON; as it came where it is not, or holds what JSON cannot mean."""
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return raw
