"""Sales tasks: what journeys ask of the owners of contacts, until it is done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from contacts import clock
from contacts.pages import floors
from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty, RecordAdmin
from contacts.pages.contacts import contact_ids_of, names_of
from contacts.pages.floors import Name
from workflows.errands import sales
from workflows.models import SalesTask
from workflows.pages.enrolments import WorkflowFilter

STATES = {"": "To do", "done": "Done", "any": "All"}
DEEDS = {"finish": "Done.", "reopen": "It is to be done again."}


class WhoseFilter(admin.SimpleListFilter):
    title = "owner"
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("mine", "Mine"), ("nobody", "Nobody's")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "mine":
            mine = getattr(request.user, "email", "")
            return queryset.filter(owner_email__iexact=mine) if mine else queryset.none()
        return queryset.filter(owner_email="") if self.value() == "nobody" else queryset


class DoneFilter(admin.SimpleListFilter):
    """Whoever asks for nothing sees what is to be done."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(STATES.items())

    def choices(self, changelist: Any) -> Iterator[Any]:
        for value, words in STATES.items():
            query = changelist.get_query_string({self.parameter_name: value} if value else {}, [self.parameter_name])
            yield {"selected": (self.value() or "") == value, "query_string": query, "display": words}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "any":
            return queryset
        return queryset.filter(done_at__isnull=self.value() != "done")


@admin.register(SalesTask)
class SalesTaskAdmin(RecordAdmin):
    title_of_list = "Sales tasks"
    list_display = ("who", "what", "state_shown", "owner", "made")
    list_display_links = ("who",)
    list_filter = (WhoseFilter, DoneFilter, WorkflowFilter)
    scanning = ("whose", "state", "workflow")
    ordering = ("-id",)
    search_fields = ("contact_id",)
    search_help_text = "A contact's email or external id"
    actions = ("finish_selected",)
    record_template = "admin/workflows/sales_task.html"
    empty = Empty(
        "support_agent",
        "No sales tasks",
        "The step “Notify sales” of a journey asks the contact's owner to act. What it asks for appears here, and in "
        "the owner's mail.",
        deed="gallery",
    )

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("workflows.change_salestask")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(contact_id__in=contact_ids_of(search_term)), False

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({row.contact_id for row in rows})
        journeys = floors.names("workflow", [row.workflow_id for row in rows])
        for row in rows:
            row.shown_contact = contacts.get(row.contact_id, f"Contact {row.contact_id}")
            row.shown_journey = journeys.get(row.workflow_id, Name(f"Journey {row.workflow_id}"))

    @admin.display(description="Contact")
    def who(self, row: Any) -> SafeString:
        return stacked(row.shown_contact, row.shown_journey.text)

    @admin.display(description="To do")
    def what(self, row: SalesTask) -> str:
        return Truncator(" ".join(row.message.split())).chars(90)

    @admin.display(description="Owner")
    def owner(self, row: SalesTask) -> str | SafeString:
        return row.owner_email or pill("Nobody's", "warn")

    @admin.display(description="State")
    def state_shown(self, row: SalesTask) -> SafeString:
        return pill("Done", "good") if row.done_at else pill("To do", "info")

    @admin.display(description="Asked for")
    def made(self, row: SalesTask) -> SafeString:
        return moment(row.made_at)

    @admin.action(description="Mark the selected tasks as done", permissions=["act"])
    def finish_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        task_ids = list(queryset.values_list("pk", flat=True)[:1000])
        done = sales.finish(task_ids, by=request.user.get_username(), now=clock.now())
        messages.success(request, f"Marked as done: {done}.")

    def record(self, request: HttpRequest, row: SalesTask, *, now: datetime) -> dict[str, Any]:
        contact = names_of({row.contact_id}).get(row.contact_id, f"Contact {row.contact_id}")
        journey = floors.names("workflow", [row.workflow_id]).get(row.workflow_id)
        way = floors.names("enrolment", [row.enrolment_id]).get(row.enrolment_id)
        return {
            "name": f"Sales task: {contact}",
            "facts": [
                ("State", self.state_shown(row)),
                ("Contact", link(contact, reverse("admin:contacts_contact_change", args=[row.contact_id]))),
                ("Owner", self.owner(row)),
                ("Asked for", moment(row.made_at, seconds=True)),
                ("Journey", link(journey.text, journey.url) if journey else NOTHING),
                ("Path through it", link(way.text, way.url) if way else NOTHING),
                *([("Done", moment(row.done_at, seconds=True)), ("Done by", row.done_by)] if row.done_at else []),
            ],
            "may_act": self.has_act_permission(request),
        }

    def get_urls(self) -> list[Any]:
        deed = self.admin_site.admin_view(self.deed_view)
        return [path("<int:pk>/<str:deed>/now/", deed, name="workflows_salestask_deed"), *super().get_urls()]

    def deed_view(self, request: HttpRequest, pk: int, deed: str) -> HttpResponse:
        if request.method != "POST" or not self.has_act_permission(request):
            raise PermissionDenied
        if deed not in DEEDS or not SalesTask.objects.filter(pk=pk).exists():
            raise Http404("There is no such task or deed")
        if deed == "finish":
            sales.finish([pk], by=request.user.get_username(), now=clock.now())
        else:
            sales.reopen([pk])
        messages.success(request, DEEDS[deed])
        return HttpResponseRedirect(reverse("admin:workflows_salestask_change", args=[pk]))
