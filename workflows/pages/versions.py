"""The versions of a journey: the list, what each said, two of them side by side, and back to the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from contacts import clock
from scoring.lifecycle import stages
from workflows import figures, publishing
from workflows.definition import phrases
from workflows.definition.diff import Change, diff
from workflows.definition.sentences import Sentences, mapping, sentences
from workflows.models import Workflow, WorkflowVersion
from workflows.spelling import spelled, walk

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

DRAFT = "draft"
SHOWN = 200  # versions in the list


@dataclass(frozen=True)
class Row:
    """A part of the journey, or a step of it, as both sides say it. `mark`: new, gone, changed or same."""

    title: str
    key: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    mark: str
    changes: tuple[str, ...]


def versions_page(journeys: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    workflow = journeys.workflow_of(request, pk)
    versions = list(WorkflowVersion.objects.filter(workflow=workflow).defer("definition").order_by("-number")[:SHOWN])
    asked = request.GET.get("number", "")
    shown = version_of(workflow, asked) if asked else None
    counted = figures.of_versions(workflow.pk)
    context = {
        **journeys.frame(request, workflow, "versions"),
        "versions": [(version, counted.get(version.pk)) for version in versions],
        "shown": shown,
        "text": spelled(shown.definition) if shown else "",
        "has_changes": has_changes(workflow),
        "may_restore": journeys.has_change_permission(request, workflow) and workflow.status != "archived",
    }
    return TemplateResponse(request, "admin/workflows/journey_versions.html", context)


def has_changes(workflow: Workflow) -> bool:
    """Whether the draft says something that no version of the journey says."""
    said = publishing.definition_hash(workflow.draft)
    return not WorkflowVersion.objects.filter(workflow=workflow, definition_hash=said).exists()


def compare_page(journeys: JourneyAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """`?from=1&to=2`, or `to=draft`; without them the live version and the draft."""
    workflow = journeys.workflow_of(request, pk)
    if workflow.live_version is None:
        raise Http404("Nothing was published yet")
    first = version_of(workflow, request.GET.get("from") or str(workflow.live_version.number))
    to = request.GET.get("to") or DRAFT
    after = workflow.draft if to == DRAFT else version_of(workflow, to).definition
    numbers = WorkflowVersion.objects.filter(workflow=workflow).order_by("-number").values_list("number", flat=True)
    with phrases.calling_stages(stages.labels()):
        rows = side_by_side(first.definition, after)
    context = {
        **journeys.frame(request, workflow, "versions"),
        "numbers": [str(number) for number in numbers[:SHOWN]],
        "from": str(first.number),
        "to": to,
        "rows": rows,
        "different": [row for row in rows if row.mark != "same"],
    }
    return TemplateResponse(request, "admin/workflows/journey_compare.html", context)


def restore_deed(journeys: JourneyAdmin, request: HttpRequest, pk: int, number: int) -> HttpResponse:
    workflow = journeys.workflow_of(request, pk)
    if request.method != "POST" or not journeys.has_change_permission(request, workflow):
        raise PermissionDenied
    version_of(workflow, str(number))
    try:
        with transaction.atomic():
            stored = Workflow.objects.select_for_update(no_key=True).get(pk=pk)
            if str(stored.draft_revision) != request.POST.get("revision", ""):
                raise publishing.UnableToChange("somebody saved the draft meanwhile; nothing was overwritten")
            by = request.user.get_username()
            publishing.restore(slug=workflow.slug, number=number, now=clock.now(), by=by)
    except publishing.UnableToChange as error:
        messages.error(request, f"Not done: {error}.")
    else:
        messages.success(
            request, f"The draft says what version {number} said. Nothing runs differently until you publish."
        )
    return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[pk]))


PAGES = (
    ("versions/", versions_page, "versions"),
    ("versions/compare/", compare_page, "compare"),
    ("versions/<int:number>/restore/", restore_deed, "restore"),
)


def side_by_side(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Row]:
    """Every part and every step of either, in the order of `diff`."""
    told: dict[str | None, list[Change]] = {}
    for change in diff(before, after):
        told.setdefault(change.step, []).append(change)
    said = sentences(before), sentences(after)
    own = told.get(None, [])
    rows = [
        _part("The journey", _head(before), _head(after), [each for each in own if "." not in each.field]),
        _part("Entry", said[0].entry, said[1].entry, [each for each in own if each.field.startswith("entry.")]),
        _part("Settings", said[0].settings, said[1].settings, [e for e in own if e.field.startswith("settings.")]),
        _part("Exits", said[0].exits, said[1].exits, [each for each in own if each.field.startswith("exit.")]),
    ]
    old, new = mapping(before.get("steps")), mapping(after.get("steps"))
    keys = [*walk(after.get("start"), new), *(key for key in walk(before.get("start"), old) if key not in new)]
    return [*rows, *(_step(key, old, new, said, told.get(key, [])) for key in keys)]


def _head(definition: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"It is called “{definition.get('name')}”", f"It begins at “{definition.get('start')}”")


def _part(title: str, before: tuple[str, ...], after: tuple[str, ...], changes: list[Change]) -> Row:
    return Row(title, "", before, after, "changed" if changes else "same", tuple(each.sentence for each in changes))


def _step(
    key: str, old: Mapping[str, Any], new: Mapping[str, Any], said: tuple[Sentences, Sentences], changes: list[Change]
) -> Row:
    mark = "gone" if key not in new else "new" if key not in old else "changed" if changes else "same"
    name = mapping(new.get(key, old.get(key))).get("name")
    sides = [
        (side.steps[key], *_ways(steps[key])) if key in steps else ()
        for side, steps in zip(said, (old, new), strict=True)
    ]
    told = tuple(each.sentence for each in changes)
    return Row(name if isinstance(name, str) and name else key, key, sides[0], sides[1], mark, told)


def _ways(step: Any) -> list[str]:
    ways = mapping(mapping(step).get("next"))
    return [f"{port} → {'the end' if target is None else target}" for port, target in sorted(ways.items())]


def version_of(workflow: Workflow, number: str) -> WorkflowVersion:
    """Raises Http404, whatever `number` says."""
    known = number.isascii() and number.isdecimal() and len(number) <= 9
    version = WorkflowVersion.objects.filter(workflow=workflow, number=int(number)).first() if known else None
    if version is None:
        raise Http404("There is no such version")
    return version
