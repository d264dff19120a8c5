"""Before a draft is published: what changed, who is under way in older versions and stays there, who would be brought
in; and publishing it from the builder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse

from contacts import clock
from contacts.authority import NotAllowed
from scoring.lifecycle import stages
from workflows import publishing, second_person
from workflows.builder import ports
from workflows.builder.operations.change import Refused
from workflows.definition import phrases
from workflows.definition.diff import diff
from workflows.definition.sentences import mapping, trigger_sentence
from workflows.editing import edit_plan
from workflows.models import Workflow
from workflows.pages.builder import operations
from workflows.pages.drafts import problem_rows

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

LONGEST_NOTE = 500
SHOWN = 12  # changes; the comparison has them all


def publishing_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse | JsonResponse:
    """GET: the dialog, as HTML. POST `revision` and `note`: it is published, and answered as an operation is; 422 where
    there are problems, and nothing is published."""
    workflow = admin.workflow_of(request, pk)
    if not admin.has_publish_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return operations.answered(admin, request, workflow, lambda held: _publish(held, request))
    asked = _asked(admin, workflow)
    if second_person.is_needed(workflow, by=request.user.get_username()):
        asked["changed_by"] = second_person.authors(workflow)
    return TemplateResponse(request, "admin/workflows/builder/publishing.html", asked)


def problems_that_bar(count: int) -> str:
    return f"{count} problem{'' if count == 1 else 's'} to solve first."


def _publish(held: Workflow, request: HttpRequest) -> tuple[str, str | None]:
    note = request.POST.get("note", "").strip()[:LONGEST_NOTE]
    try:
        number = publishing.publish(slug=held.slug, by=request.user.get_username(), note=note, now=clock.now())
    except publishing.CannotPublish as error:
        raise Refused(f"Not published: {problems_that_bar(len(error.problems))}") from error
    except publishing.UnableToChange as error:
        raise Refused(f"Not published: {error}.") from error
    except NotAllowed as error:
        raise Refused(f"Not published. {error}") from error
    return f"Version {number} is published. Whoever enters from now on takes it.", None


def _asked(admin: JourneyAdmin, workflow: Workflow) -> dict[str, Any]:
    """Counts people where they have to be counted: the dialog is opened once for a version, not once a click."""
    live = workflow.live_version
    draft = workflow.draft
    with phrases.calling_stages(stages.labels()):
        changes = list(diff(live.definition, draft)) if live else []
        starts = trigger_sentence(mapping(draft.get("entry")).get("trigger"))
    found = problem_rows(draft)
    bars = [problem for problem in found if problem["severity"] == "error"]
    tried = None if bars else admin.brought_in_by(workflow, now=clock.now())
    return {
        "workflow": workflow,
        "live": live,
        "next_version": live.number + 1 if live else 1,
        "problems": bars,
        "circles": [problem for problem in found if problem["code"] == "cycle"],
        "changes": [change.sentence for change in changes[:SHOWN]],
        "more": max(0, len(changes) - SHOWN),
        "same": live is not None and publishing.definition_hash(draft) == live.definition_hash,
        "starts": starts,
        "steps": len(ports.steps_of(draft)),
        "staying": edit_plan.under_way(workflow.pk) if live else 0,
        "elsewhere": edit_plan.under_way_elsewhere(workflow.pk) if live else 0,
        "tried": tried,
    }


PAGES = (("publishing/", publishing_view, "publishing"),)
