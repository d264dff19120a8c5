"""Who went into a journey, how far they are and why; and who was not let in. To read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts.models import Contact
from contacts.pages import floors
from contacts.pages.cells import NOTHING, link, moment, pill, stacked, state_pill
from contacts.pages.changelists import LOOKED_THROUGH, Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.floors import Name, Sample
from workflows import wording
from workflows.figures import figures
from workflows.models import Enrolment, EntryRefusal, JournalEntry, Workflow, WorkflowVersion
from workflows.models.enrolment import FINISHED
from workflows.pages.enrolment_filters import ReasonFilter, StateFilter, StepFilter, VersionFilter, WorkflowFilter
from workflows.pages.journeys import status_of
from workflows.pages.removal import TakingOut
from workflows.pages.why import why_view


class OfAJourneyAdmin(RecordAdmin):
    """A list that may be one journey's, and then bears its head and tabs."""

    tab = ""
    list_filter: Any = (WorkflowFilter,)
    list_before_template = "admin/workflows/list_head.html"
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact_id__in=contact_ids_of(search_term)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        asked = request.GET.get("workflow", "")
        workflow = (
            Workflow.objects.select_related("live_version").filter(pk=asked).first() if asked.isdecimal() else None
        )
        context: dict[str, Any] = {"tab": self.tab}
        if workflow is not None:
            journeys = reverse("admin:workflows_workflow_changelist")
            context |= {
                "workflow": workflow,
                "title": workflow.name,
                "crumbs": [("Journeys", journeys), (workflow.name, "")],
                "status": status_of(workflow),
                "figures": figures([workflow.pk]).get(workflow.pk),
            }
        return super().changelist_view(request, {**context, **(extra_context or {})})


@admin.register(Enrolment)
class EnrolmentAdmin(TakingOut, OfAJourneyAdmin):
    tab = "people"
    title_of_list = "People in journeys"
    nouns = ("person", "people")
    list_display = ("who", "state_shown", "where", "wakes", "entered")
    list_display_links = ("who",)
    list_select_related = ("workflow", "version")
    list_filter = (WorkflowFilter, StateFilter, StepFilter, VersionFilter, ReasonFilter)
    scanning = ("state", "step", "version", "reason")
    record_template = "admin/workflows/enrolment.html"
    actions = ("take_out_selected",)
    empty = Empty(
        "login",
        "Nobody has entered a journey yet",
        "When an event matches a live journey, its contact appears here.",
        deed=Sample("Go to the journeys", "admin:workflows_workflow_changelist", "workflows.view_workflow"),
        sample="gallery",
    )

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(lambda request, pk: why_view(request, self.admin_site, pk))
        why = path("of/<int:pk>/why/", page, name="workflows_enrolment_why")
        return [why, *self.removal_urls(), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("version__definition", "workflow__draft")

    def newest(self, request: HttpRequest, rows: QuerySet) -> QuerySet:
        """Of a journey: its own newest, so that an old journey's people are found behind a million others."""
        workflow = request.GET.get("workflow", "")
        if not workflow.isdecimal():
            return super().newest(request, rows)
        own = Enrolment.objects.filter(workflow_id=workflow).order_by("-id").values("id")[:LOOKED_THROUGH]
        first: int = own.aggregate(first=Min("id"))["first"] or 0
        return rows.filter(pk__gte=first)

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({row.contact_id for row in rows})
        steps = step_names({row.version_id for row in rows})
        for row in rows:
            row.shown_contact = contacts.get(row.contact_id, f"Contact {row.contact_id}")
            row.shown_step = steps.get((row.version_id, row.step), row.step)

    @admin.display(description="Contact")
    def who(self, row: Any) -> SafeString:
        return stacked(row.shown_contact, f"{row.workflow.name} {row.version}")

    @admin.display(description="State")
    def state_shown(self, row: Enrolment) -> SafeString:
        return stacked(state_pill(row.state), wording.exit_reason(row.exit_reason) if row.state == "exited" else "")

    @admin.display(description="Step")
    def where(self, row: Any) -> str:
        return row.shown_step

    @admin.display(description="Goes on")
    def wakes(self, row: Enrolment) -> SafeString:
        return moment(row.wake_at, seconds=True) if row.state in {"active", "waiting"} else NOTHING

    @admin.display(description="Entered")
    def entered(self, row: Enrolment) -> SafeString:
        return moment(row.entered_at, seconds=True)

    def record(self, request: HttpRequest, row: Enrolment, *, now: datetime) -> dict[str, Any]:
        contact = Contact.objects.filter(pk=row.contact_id).first()
        steps = step_names({row.version_id})
        entries: list[Any] = list(JournalEntry.objects.filter(enrolment_id=row.pk).order_by("seq")[:500])
        for entry in entries:
            entry.step_name = steps.get((row.version_id, entry.step), entry.step)
            entry.words = wording.journal(entry.step_type, entry.outcome, entry.port, entry.detail)
            entry.icon, entry.tone = wording.icon(entry.step_type)
        journey = reverse("admin:workflows_workflow_change", args=[row.workflow_id])
        event = reverse("admin:contacts_contactevent_change", args=[row.entry_event_id or 0])
        return {
            "name": f"{contact or f'Contact {row.contact_id}'} in {row.workflow.name}",
            "facts": [
                (
                    "Contact",
                    link(
                        contact or f"Contact {row.contact_id}",
                        reverse("admin:contacts_contact_change", args=[row.contact_id]),
                    ),
                ),
                ("Journey", format_html("{} {}", link(row.workflow.name, journey), row.version)),
                ("State", state_pill(row.state)),
                *([("Why they left", wording.exit_reason(row.exit_reason))] if row.state in FINISHED else []),
                ("Step", steps.get((row.version_id, row.step), row.step)),
                *([("Goes on", moment(row.wake_at, seconds=True))] if row.state in {"active", "waiting"} else []),
                ("Entered", moment(row.entered_at, seconds=True)),
                *([("Finished", moment(row.finished_at, seconds=True))] if row.finished_at else []),
                ("Entered by", link("this event", event) if row.entry_event_id else NOTHING),
                ("Entry key", row.entry_key or NOTHING),
                ("Lane", row.lane),
                ("Public id", format_html('<code class="cl-code">{}</code>', row.public_id)),
            ],
            "entries": entries,
            "may_take_out": self.may_take_out(request, row),
            "documents": [("What started it", row.trigger)] if row.trigger else [],
        }


@admin.register(EntryRefusal)
class EntryRefusalAdmin(OfAJourneyAdmin):
    tab = "refusals"
    title_of_list = "Not let in"
    nouns = ("refusal", "refusals")
    list_display = ("who", "reason_shown", "refused")
    list_display_links = ("who",)
    empty = Empty(
        "door_front",
        "Nobody was refused",
        "When an event matches a journey and its contact may not enter, the reason is kept here.",
        deed=Sample("Go to the journeys", "admin:workflows_workflow_changelist", "workflows.view_workflow"),
    )

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({row.contact_id for row in rows})
        journeys = floors.names("workflow", [row.workflow_id for row in rows])
        for row in rows:
            row.shown_contact = contacts.get(row.contact_id, f"Contact {row.contact_id}")
            row.shown_journey = journeys.get(row.workflow_id, Name(f"Journey {row.workflow_id}"))

    @admin.display(description="Contact")
    def who(self, row: Any) -> SafeString:
        return stacked(row.shown_contact, row.shown_journey.text)

    @admin.display(description="Not let in because")
    def reason_shown(self, row: EntryRefusal) -> SafeString:
        return stacked(pill(wording.refusal_name(row.reason), "warn"), wording.refusal(row.reason))

    @admin.display(description="When")
    def refused(self, row: EntryRefusal) -> SafeString:
        return moment(row.refused_at, seconds=True)

    def record(self, request: HttpRequest, row: EntryRefusal, *, now: datetime) -> dict[str, Any]:
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        journey = floors.names("workflow", [row.workflow_id]).get(row.workflow_id, Name(str(row.workflow_id)))
        event = reverse("admin:contacts_contactevent_change", args=[row.event_id or 0])
        return {
            "name": f"{contact} was not let into {journey.text}",
            "facts": [
                ("Why", wording.refusal(row.reason).capitalize()),
                ("Contact", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
                ("Journey", link(journey.text, journey.url)),
                ("Event", link("the one that matched", event) if row.event_id else NOTHING),
                ("When", moment(row.refused_at, seconds=True)),
            ],
        }


def step_names(version_ids: Collection[int]) -> Mapping[tuple[int, str], str]:
    """What the steps of these versions are called: (version, key) -> name. One statement."""
    names: dict[tuple[int, str], str] = {}
    rows = WorkflowVersion.objects.filter(pk__in=version_ids).values_list("pk", "definition__steps")
    for version_id, steps in rows:
        for key, step in (steps or {}).items():
            names[(version_id, key)] = str(step.get("name") or key)
    return names


def workflow_names(ids: Collection[int]) -> Mapping[int, Name]:
    rows = Workflow.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: Name(name, reverse("admin:workflows_workflow_change", args=[pk])) for pk, name in rows}


def workflow_by_slug(slug: str) -> int | None:
    return Workflow.objects.filter(slug=slug).values_list("pk", flat=True).first()


def enrolment_names(ids: Collection[int]) -> Mapping[int, Name]:
    rows = Enrolment.objects.filter(pk__in=ids).values_list("pk", "entered_at")
    return {
        pk: Name(f"entered {at:%-d %b %Y, %H:%M} UTC", reverse("admin:workflows_enrolment_change", args=[pk]))
        for pk, at in rows
    }


floors.register_names("workflow", workflow_names)
floors.register_slugs("workflow", workflow_by_slug)
floors.register_names("enrolment", enrolment_names)
