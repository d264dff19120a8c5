"""The map of a journey's draft, and the parts of it that the browser exchanges after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from workflows import revisions
from workflows.builder import ports
from workflows.builder.forms import labels
from workflows.builder.picture import picture
from workflows.definition.validation import validate
from workflows.models import Workflow
from workflows.pages.builder import menu, text
from workflows.pages.drafts import named

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin


def map_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    workflow = admin.workflow_of(request, pk)
    context = {**admin.frame(request, workflow, "edit"), **standing(admin, request, workflow), "groups": menu.groups()}
    return TemplateResponse(request, "admin/workflows/builder/page.html", {**context, "is_fullwidth": True})


def standing(admin: JourneyAdmin, request: HttpRequest, workflow: Workflow) -> dict[str, Any]:
    """What the map and its bar are drawn from."""
    problems = labels.told(validate(workflow.draft), workflow.draft)
    rows = [_leading(named(problem, workflow.draft), workflow) for problem in problems]
    may_change = admin.has_change_permission(request, workflow) and workflow.status != "archived"
    return {
        "workflow": workflow,
        "picture": picture(workflow.draft, problems),
        "tab": "edit",
        "problems": rows,
        "errors": sum(problem.severity == "error" for problem in problems),
        "may_change": may_change,
        "may_publish": may_change and admin.has_publish_permission(request),
        "can_undo": may_change and revisions.can_undo(workflow),
        "can_redo": may_change and revisions.can_redo(workflow),
        "may_move": admin.has_publish_permission(request),
        "may_delete": admin.has_delete_permission(request, workflow),
    }


_PANELS = {"entry": ".trigger", "start": ".trigger", "steps": ".trigger", "settings": ".settings", "exit": ".exit"}


_NAMES = {".trigger": "Trigger", ".settings": "Settings", ".exit": "Early exits"}


def _leading(row: dict[str, Any], workflow: Workflow) -> dict[str, Any]:
    """A problem with where it leads: the card of its step, a panel of the journey, else the text."""
    if row["step"] in ports.steps_of(workflow.draft):
        return row
    panel = _PANELS.get(row["field"].partition(".")[0]) if row["step"] is None else None
    if panel is None:
        return {**row, "address": text.address(workflow)}
    return {**row, "panel": panel, "step_name": _NAMES[panel]}


def parts(admin: JourneyAdmin, request: HttpRequest, workflow: Workflow) -> dict[str, str]:
    """HTML by the id of the element that it takes the place of."""
    context = {**standing(admin, request, workflow), "status": admin.status_pill(workflow)}
    return {
        "builder-bar": render_to_string("admin/workflows/builder/bar.html", context, request),
        "builder-stage": render_to_string("admin/workflows/builder/stage.html", context, request),
    }


PAGES = (("map/", map_view, "map"),)
