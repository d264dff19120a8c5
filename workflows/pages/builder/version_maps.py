"""Two versions of a journey on one map: the later one, with what is new or changed marked, and what is gone beside it.
The numbers of a version stand on the map of its results, which counting draws (`analytics.pages.journey_results`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from scoring.lifecycle import stages
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.picture import picture
from workflows.definition import phrases
from workflows.models import WorkflowVersion
from workflows.pages import versions

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

WORDS = {"new": "New", "changed": "Changed", "gone": "Gone"}


def compared_view(journeys: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """`?from=1&to=2`, or `to=draft`; without them the live version and the draft."""
    workflow = journeys.workflow_of(request, pk)
    if workflow.live_version is None:
        raise Http404("Nothing was published yet")
    first = versions.version_of(workflow, request.GET.get("from") or str(workflow.live_version.number))
    to = request.GET.get("to") or versions.DRAFT
    after = workflow.draft if to == versions.DRAFT else versions.version_of(workflow, to).definition
    numbers = WorkflowVersion.objects.filter(workflow=workflow).order_by("-number").values_list("number", flat=True)
    with phrases.calling_stages(stages.labels()):
        rows = versions.side_by_side(first.definition, after)
    marks = marks_of(rows)
    context = {
        **journeys.frame(request, workflow, "versions"),
        "is_fullwidth": True,
        "may_change": False,
        "reading": True,
        "numbers_of_versions": [str(number) for number in numbers[: versions.SHOWN]],
        "from": str(first.number),
        "to": to,
        "picture": picture(after),
        "marks": marks,
        "numbers": {key: said(mark) for key, mark in marks.items()},
        "different": [(row, said(row.mark), _card(row)) for row in rows if row.mark != "same"],
    }
    return TemplateResponse(request, "admin/workflows/builder/compared.html", context)


def marks_of(rows: Sequence[versions.Row]) -> Mapping[str, str]:
    """`new` or `changed`, by the card's key. What is not of a step (entry, settings, exits) is the trigger's."""
    found: dict[str, str] = {}
    for row in rows:
        if row.mark in {"new", "changed"}:
            found[row.key or TRIGGER] = row.mark
    return found


def said(mark: str) -> SafeString:
    return format_html('<b class="jb-mark jb-mark-{}">{}</b>', mark, WORDS[mark])


def _card(row: versions.Row) -> str:
    """The key of the card that a row is about; empty where the map has none."""
    return "" if row.mark == "gone" else row.key or TRIGGER


PAGES: tuple[tuple[str, Any, str], ...] = (("versions/map/", compared_view, "compared"),)
