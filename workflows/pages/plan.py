"""The edit plan as a page: where people stand in older versions, what changed there, what becomes of them; tried first,
carried out with a bar that moves, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from contacts import transactions
from workflows.editing import edit_moves, edit_plan
from workflows.editing.edit_plan import BadDecisions, Decision, NotPossible, Standing, Survey
from workflows.models import EditPlan, Workflow

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

FIELD = "step:"
PLANS = 20
STATES = {"applying": "Being carried out", "applied": "Carried out", "undoing": "Being undone", "undone": "Undone"}
MARKS = {"unchanged": ("As it was", "plain"), "changed": ("Changed", "warn"), "removed": ("Gone", "bad")}


def plan_page(journeys: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    workflow = journeys.workflow_of(request, pk)
    may_move = journeys.has_publish_permission(request)
    try:
        survey = edit_plan.survey(workflow.slug)
    except NotPossible as error:
        raise Http404(str(error)) from error
    chosen = {each.step: each.proposal if "proposals" in request.GET else Decision("stay") for each in survey.standings}
    tried: list[edit_plan.Fate] = []
    if request.method == "POST":
        if not may_move:
            raise PermissionDenied
        try:
            chosen |= _read(request, survey, workflow)
            if "_apply" in request.POST:
                _begin(request, workflow, survey, chosen)
                return HttpResponseRedirect(reverse("admin:workflows_workflow_plan", args=[pk]))
            tried = edit_plan.fates(survey, chosen)
        except (BadDecisions, NotPossible) as error:
            messages.error(request, f"Not done: {error}.")
    plans = list(
        EditPlan.objects.filter(workflow=workflow).annotate(number=F("to_version__number")).order_by("-pk")[:PLANS]
    )
    running = next((plan for plan in plans if plan.state in edit_moves.UNDER_WAY), None)
    context = {
        **journeys.frame(request, workflow, "plan"),
        "survey": survey,
        "rows": [_row(each, chosen[each.step], survey) for each in survey.standings],
        "tried": _sums(tried) if tried else None,
        "plans": [
            {
                "plan": plan,
                "words": STATES[plan.state],
                "may_undo": may_move and running is None and plan.state == "applied" and plan.moved > 0,
            }
            for plan in plans
        ],
        "running": running,
        "may_carry_out": may_move,
    }
    return TemplateResponse(request, "admin/workflows/journey_plan.html", context)


def progress(journeys: JourneyAdmin, request: HttpRequest, pk: int, plan: int) -> JsonResponse:
    workflow = journeys.workflow_of(request, pk)
    found = EditPlan.objects.filter(workflow=workflow, pk=plan).first()
    if found is None:
        raise Http404("There is no such plan")
    return JsonResponse(
        {
            "running": found.state in edit_moves.UNDER_WAY,
            "words": STATES[found.state],
            "moved": found.moved,
            "exited": found.exited,
            "put_back": found.put_back,
        }
    )


def undo_deed(journeys: JourneyAdmin, request: HttpRequest, pk: int, plan: int) -> HttpResponse:
    workflow = journeys.workflow_of(request, pk)
    if request.method != "POST" or not journeys.has_publish_permission(request):
        raise PermissionDenied
    found = EditPlan.objects.filter(workflow=workflow, pk=plan).first()
    if found is None:
        raise Http404("There is no such plan")
    try:
        begun = transactions.run(
            lambda now: edit_plan.begin_undoing(slug=workflow.slug, public_id=found.public_id, now=now)
        )
        _first_slice(begun)
    except NotPossible as error:
        messages.error(request, f"Not done: {error}.")
    else:
        messages.success(request, "Whoever has not gone on since is put back where they stood.")
    return HttpResponseRedirect(reverse("admin:workflows_workflow_plan", args=[pk]))


PAGES = (
    ("plan/", plan_page, "plan"),
    ("plan/<int:plan>/progress/", progress, "plan_progress"),
    ("plan/<int:plan>/undo/", undo_deed, "plan_undo"),
)


def offer(workflow_id: int, people: int) -> SafeString:
    """What is said after publishing when somebody is under way in an older version."""
    are = "1 person is" if people == 1 else f"{people:,} people are"
    return format_html(
        '{} under way in older versions, to finish them. <a class="cl-link" href="{}">Decide what becomes of them</a>',
        are,
        reverse("admin:workflows_workflow_plan", args=[workflow_id]),
    )


def _read(request: HttpRequest, survey: Survey, workflow: Workflow) -> dict[str, Decision]:
    """The choices of the form: `stay`, `exit`, or `move:STEP`. Raises BadDecisions."""
    raw: dict[str, Any] = {}
    for name, value in request.POST.items():
        if name.startswith(FIELD):
            do, colon, to = str(value).partition(":")
            raw[name.removeprefix(FIELD)] = {"do": do, "to": to} if colon else {"do": do}
    return edit_plan.read_decisions(raw, survey, known=edit_plan.steps_of_older(workflow.slug))


def _begin(request: HttpRequest, workflow: Workflow, survey: Survey, chosen: dict[str, Decision]) -> None:
    if str(survey.to_version) != request.POST.get("to_version"):
        raise NotPossible(f"version {survey.to_version} was published meanwhile: look at the plan again")
    if all(decision.do == "stay" for decision in chosen.values()):
        raise NotPossible("everybody stays, so there is nothing to do")
    by = request.user.get_username()
    plan = transactions.run(
        lambda now: edit_plan.begin(slug=workflow.slug, to_version=survey.to_version, decisions=chosen, by=by, now=now)
    )
    plan = _first_slice(plan)
    if plan.state == "applied":
        messages.success(request, f"Done: {plan.moved:,} moved, {plan.exited:,} left.")


def _first_slice(plan: EditPlan) -> EditPlan:
    transactions.run(lambda now: edit_moves.carry_on(plan.pk, now=now))
    plan.refresh_from_db()
    return plan


def _row(standing: Standing, decision: Decision, survey: Survey) -> dict[str, Any]:
    value = f"move:{decision.to}" if decision.do == "move" else decision.do
    moves = [(f"move:{key}", f"Move to “{name}” ({key})" if name != key else f"Move to “{key}”")
             for key, name in survey.targets.items()]  # fmt: skip
    own = [choice for choice in moves if choice[0] == f"move:{standing.step}"]
    choices = [("stay", "Stay in their version"), *own, *(each for each in moves if each not in own)]
    return {
        "standing": standing,
        "field": f"{FIELD}{standing.step}",
        "mark": MARKS[standing.state],
        "choices": [*choices, ("exit", "Leave the journey")],
        "value": value,
    }


def _sums(tried: list[edit_plan.Fate]) -> dict[str, int]:
    return {deed: sum(fate.people for fate in tried if fate.decision.do == deed) for deed in edit_plan.DEEDS}
