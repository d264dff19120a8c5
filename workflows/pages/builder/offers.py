"""What may be done at a place of the map, before anybody does it: where a path may lead, where a step may go, and which
path stays when a step with several is deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string

from workflows.builder import ports
from workflows.builder.operations import connecting, moving, removing
from workflows.builder.operations.change import Refused, name_of
from workflows.models import Workflow

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin


def path_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> JsonResponse:
    """GET `step` and `port`: {end: names of steps that would go, or null where the path ends already, joins: [{step,
    name, lost: names}]}. 422 for a path that is not there."""
    workflow = _changeable(admin, request, pk)
    steps = workflow.draft
    try:
        found = connecting.onward(steps, step=request.GET.get("step", ""), port=request.GET.get("port", ""))
    except Refused as refused:
        return JsonResponse({"message": str(refused)}, status=422)
    return JsonResponse(
        {
            "end": next((_names(steps, each.lost) for each in found if each.target is None), None),
            "joins": [
                {"step": each.target, "name": name_of(steps, each.target), "lost": _names(steps, each.lost)}
                for each in found
                if each.target is not None
            ],
        }
    )


def places_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> JsonResponse:
    """GET `step`: {name, steps: what moves, arms: [[step, port]], above: [step]}. 422 for a step that is not there."""
    workflow = _changeable(admin, request, pk)
    step = request.GET.get("step", "")
    try:
        found = moving.places(workflow.draft, step=step)
        load = moving.load_of(workflow.draft, step=step)
    except Refused as refused:
        return JsonResponse({"message": str(refused)}, status=422)
    return JsonResponse(
        {"name": name_of(workflow.draft, step), "steps": load.steps, "arms": found.arms, "above": found.above}
    )


def question(workflow: Workflow, step: str, request: HttpRequest) -> str:
    """Which path stays: HTML of a dialog, with what goes with each choice."""
    definition = workflow.draft
    given = ports.steps_of(definition)[step]
    choices = [
        {"port": port, "caption": ports.caption(given, port), "lost": _names(definition, lost)}
        for port, lost in removing.losses(definition, step=step).items()
    ]
    least = min(choices, key=lambda choice: len(choice["lost"]))
    context = {"step": step, "name": name_of(definition, step), "choices": choices, "chosen": least["port"]}
    return render_to_string("admin/workflows/builder/remove.html", context, request)


def _changeable(admin: JourneyAdmin, request: HttpRequest, pk: int) -> Workflow:
    workflow = admin.workflow_of(request, pk)
    if not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    return workflow


def _names(definition: Mapping[str, Any], steps: Collection[str]) -> list[str]:
    return [name_of(definition, step) for step in steps]


PAGES = (("path/", path_view, "path"), ("places/", places_view, "places"))
