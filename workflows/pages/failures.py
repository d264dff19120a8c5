"""Failed steps: who failed where and why, and what becomes of them: tried again, passed over, or let go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import transactions
from contacts.pages import floors
from contacts.pages.cells import NOTHING, link, moment, pill, stacked
from contacts.pages.changelists import Empty
from contacts.pages.contacts import names_of
from contacts.pages.floors import Name, Sample
from workflows.failures import dead_letters
from workflows.failures.dead_letters import AT_ONCE, DEEDS, Resolved
from workflows.models import DeadLetter
from workflows.pages.enrolments import OfAJourneyAdmin, WorkflowFilter, step_names

STEPS_FROM = 5_000
MOST_CHOICES = 100
IN_ONE_REQUEST = 5_000  # a few seconds; the command takes any number
STATES = {
    "": ("To decide", "bad"),
    "retried": ("Tried again", "good"),
    "skipped": ("Skipped", "plain"),
    "exited": ("Let go", "plain"),
}
CATEGORIES = {"transient": "Service or network", "permanent": "Data or program"}
REFUSALS = {
    "resolved_before": "somebody has decided before",
    "moved_on": "not where they failed any more",
    "already_under_way": "in the journey again, and nobody is in it twice",
    "workflow_archived": "the journey is archived",
    "not_allowed": "the contact's data may not be worked with",
}


class StateFilter(admin.SimpleListFilter):
    """Whoever asks for nothing sees what is to be decided."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [*((state, words) for state, (words, _) in STATES.items()), ("any", "All")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for value, words in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value} if value else {}, [self.parameter_name])
            yield {"selected": (self.value() or "") == value, "query_string": query, "display": words}

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "any":
            return queryset
        return queryset.filter(state=self.value() if self.value() in STATES else "open")


class CategoryFilter(admin.SimpleListFilter):
    title = "kind of error"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(CATEGORIES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(category=self.value()) if self.value() in CATEGORIES else queryset


class StepFilter(admin.SimpleListFilter):
    """The steps at which somebody failed lately who is still to be decided about."""

    title = "step"
    parameter_name = "step"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        newest = DeadLetter.objects.filter(state="open").order_by("-id").values_list("step", flat=True)[:STEPS_FROM]
        return [(step, step) for step in sorted(set(newest))[:MOST_CHOICES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(step=self.value()) if self.value() else queryset


@admin.register(DeadLetter)
class DeadLetterAdmin(OfAJourneyAdmin):
    tab = "failures"
    title_of_list = "Failed steps"
    nouns = ("failed step", "failed steps")
    list_display = ("who", "where", "error_shown", "state_shown", "failed")
    list_display_links = ("who",)
    list_filter = (StateFilter, WorkflowFilter, StepFilter, CategoryFilter)
    scanning = ("state", "workflow", "step", "category")
    actions = ("retry_selected", "skip_selected", "exit_selected")
    record_template = "admin/workflows/dead_letter.html"
    empty = Empty(
        "task_alt",
        "Nobody to decide about",
        "A step that fails is tried again by itself. Who fails for good is listed here, until somebody lets them try "
        "again, go on behind the step, or leave.",
        deed=Sample("Go to the journeys", "admin:workflows_workflow_changelist", "workflows.view_workflow"),
    )

    def has_decide_permission(self, request: HttpRequest) -> bool:
        may = request.user.has_perm
        return may("workflows.change_deadletter") or may("workflows.publish_workflow")

    def get_urls(self) -> list[Any]:
        decide = self.admin_site.admin_view(self.decide_view)
        return [
            path("<int:pk>/<str:deed>/now/", decide, name="workflows_deadletter_decide"),
            *super().get_urls(),
        ]

    def furnish(self, rows: list[Any], *, now: datetime) -> None:
        contacts = names_of({row.contact_id for row in rows})
        journeys = floors.names("workflow", [row.workflow_id for row in rows])
        steps = step_names({row.version_id for row in rows})
        for row in rows:
            row.shown_contact = contacts.get(row.contact_id, f"Contact {row.contact_id}")
            row.shown_journey = journeys.get(row.workflow_id, Name(f"Journey {row.workflow_id}"))
            row.shown_step = steps.get((row.version_id, row.step), row.step)

    @admin.display(description="Contact")
    def who(self, row: Any) -> SafeString:
        return stacked(row.shown_contact, row.shown_journey.text)

    @admin.display(description="Step")
    def where(self, row: Any) -> str:
        return row.shown_step

    @admin.display(description="Error")
    def error_shown(self, row: DeadLetter) -> SafeString:
        tries = f"{row.attempts} tries" if row.attempts != 1 else "1 try"
        return stacked(row.error or "unknown", f"{CATEGORIES.get(row.category, row.category)}, {tries}")

    @admin.display(description="State")
    def state_shown(self, row: DeadLetter) -> SafeString:
        return pill(*STATES.get(row.state, STATES[""]))

    @admin.display(description="Failed")
    def failed(self, row: DeadLetter) -> SafeString:
        return moment(row.failed_at, seconds=True)

    @admin.action(description="Try the selected ones again", permissions=["decide"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, "retry")

    @admin.action(description="Skip the step for the selected ones", permissions=["decide"])
    def skip_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, "skip")

    @admin.action(description="Let the selected ones leave the journey", permissions=["decide"])
    def exit_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        self._decide(request, queryset, "exit")

    def _decide(self, request: HttpRequest, queryset: QuerySet, deed: str) -> None:
        rows = queryset.filter(state="open").order_by("pk")
        ids = list(rows.values_list("pk", flat=True)[: IN_ONE_REQUEST + 1])
        resolved = _resolve(ids[:IN_ONE_REQUEST], deed, request.user.get_username())
        _say(request, resolved, deed)
        if len(ids) > IN_ONE_REQUEST:
            messages.info(
                request,
                f"These were the oldest {IN_ONE_REQUEST:,}. Select again for the next ones, or let the command "
                "replay_dead_letters take all of them.",
            )

    def decide_view(self, request: HttpRequest, pk: int, deed: str) -> HttpResponse:
        if request.method != "POST" or not self.has_decide_permission(request):
            raise PermissionDenied
        if deed not in DEEDS or not DeadLetter.objects.filter(pk=pk).exists():
            raise Http404("There is no such failed step")
        _say(request, _resolve([pk], deed, request.user.get_username()), deed)
        return HttpResponseRedirect(reverse("admin:workflows_deadletter_change", args=[pk]))

    def record(self, request: HttpRequest, row: Any, *, now: datetime) -> dict[str, Any]:
        self.furnish([row], now=now)
        way = floors.names("enrolment", [row.enrolment_id]).get(row.enrolment_id)
        person = reverse("admin:contacts_contact_change", args=[row.contact_id])
        return {
            "name": f"{row.shown_contact} failed at {row.shown_step}",
            "facts": [
                ("State", self.state_shown(row)),
                ("Contact", link(row.shown_contact, person)),
                ("Journey", link(row.shown_journey.text, row.shown_journey.url)),
                ("Path through it", link(way.text, way.url) if way else NOTHING),
                ("Step", row.shown_step),
                ("Error", format_html('<code class="cl-code">{}</code>', row.error or "unknown")),
                ("Kind of error", CATEGORIES.get(row.category, row.category)),
                ("Tries", row.attempts),
                ("Failed", moment(row.failed_at, seconds=True)),
                *([("Decided", moment(row.resolved_at, seconds=True))] if row.resolved_at else []),
                *([("Decided by", row.resolved_by)] if row.resolved_by else []),
            ],
            "may_decide": row.state == "open" and self.has_decide_permission(request),
        }


def _resolve(ids: Collection[int], deed: str, by: str) -> Resolved:
    todo, resolved = list(ids), Resolved()
    for start in range(0, len(todo), AT_ONCE):
        work = partial(dead_letters.resolve, todo[start : start + AT_ONCE], deed=deed, by=by)
        resolved += transactions.run(lambda now, work=work: work(now=now))  # type: ignore[misc]
    return resolved


def _say(request: HttpRequest, resolved: Resolved, deed: str) -> None:
    if resolved.done:
        messages.success(request, f"{STATES[DEEDS[deed]][0]}: {resolved.done:,}.")
    for reason, count in sorted(resolved.refused.items()):
        messages.warning(request, f"Left as they are: {count:,} ({REFUSALS[reason]}).")
    if not resolved.done and not resolved.refused:
        messages.info(request, "None of these is still to be decided.")
