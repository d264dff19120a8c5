"""What is done on the map: one operation on the draft that the browser shows, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, JsonResponse

from contacts import clock
from workflows import publishing, revisions
from workflows.builder.operations import configuring, connecting, copying, inserting, moving, removing
from workflows.builder.operations.change import Change, Refused
from workflows.definition import limits
from workflows.models import Workflow
from workflows.pages.builder import history, offers
from workflows.pages.builder import map as journey_map

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

# name -> (the operation, what it is told, what it may be told)
OPERATIONS: Mapping[str, tuple[Callable[..., Change], tuple[str, ...], tuple[str, ...]]] = {
    "insert": (inserting.on_arm, ("step", "port", "kind"), ()),
    "insert_above": (inserting.above, ("step", "kind"), ()),
    "duplicate": (copying.duplicate, ("step",), ()),
    "join": (connecting.join, ("step", "port", "target"), ()),
    "end": (connecting.end, ("step", "port"), ()),
    "move": (moving.move, ("step", "target_step", "target_port"), ()),
    "move_above": (moving.move_above, ("step", "target"), ()),
    "remove": (removing.remove, ("step",), ("keep",)),
    "rename": (configuring.rename, ("name",), ()),
}
MAKING = {"insert", "insert_above", "duplicate"}  # a step with a new key


class Asked(Exception):
    """It cannot be done before somebody has decided; `question` is the HTML of a dialog."""

    def __init__(self, question: str) -> None:
        super().__init__("a question")
        self.question = question


def operation_view(admin: JourneyAdmin, request: HttpRequest, pk: int) -> JsonResponse:
    """POST `revision` and `operation` with what it is told: the parts of the page that changed, or {ask: HTML} where
    something is to be decided first. 409 where somebody else changed the draft meanwhile, 422 where it cannot be done;
    none of these changes anything."""
    workflow = admin.workflow_of(request, pk)
    if request.method != "POST" or not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    name = request.POST.get("operation", "")
    return answered(admin, request, workflow, lambda held: _done(held, name, request))


def answered(
    admin: JourneyAdmin, request: HttpRequest, workflow: Workflow, deed: Callable[[Workflow], tuple[str, str | None]]
) -> JsonResponse:
    """`deed` is done to the journey, held at the revision that the browser shows; it returns what was done, in words,
    and the step to look at."""
    revision = request.POST.get("revision", "")
    try:
        with transaction.atomic():
            held = revisions.held(workflow.pk, revision=_number(revision))
            if held.status == "archived":
                raise Refused("An archived journey is not changed any more.")
            said, step = deed(held)
    except revisions.Stale as stale:
        return JsonResponse(_stale(stale.by, request), status=409)
    except Asked as asked:
        return JsonResponse({"ask": asked.question})
    except (Refused, revisions.NothingThere) as refused:
        return JsonResponse({"message": str(refused)}, status=422)
    now_stands = admin.workflow_of(request, workflow.pk)
    return JsonResponse(
        {
            "said": said,
            "step": step,
            "revision": now_stands.draft_revision,
            "parts": journey_map.parts(admin, request, now_stands),
        }
    )


def change(workflow: Workflow, made: Change, request: HttpRequest) -> tuple[str, str | None]:
    """A change of a journey that is held becomes its draft; one that changes nothing leaves no trace. Raises Refused
    where the draft could not be stored."""
    if made.definition != workflow.draft:
        if fault := limits.fault_of(made.definition):
            raise Refused(f"This cannot be saved: it {fault.msg}.")
        by = request.user.get_username()
        publishing.save_draft(definition=made.definition, now=clock.now(), by=by, what=made.said)
    return made.said, made.step


def _done(workflow: Workflow, name: str, request: HttpRequest) -> tuple[str, str | None]:
    now, by = clock.now(), request.user.get_username()
    if name == "undo":
        return f"Undone: {revisions.undo(workflow, by=by, now=now).what}", None
    if name == "redo":
        return f"Done again: {revisions.redo(workflow, by=by, now=now).what}", None
    if name == "go_back":
        number = request.POST.get("number", "")
        then = revisions.entry(workflow, _number(number))
        return change(workflow, Change(then.definition, f"Went back to: {then.what}"), request)
    if name not in OPERATIONS:
        raise Refused("There is no such operation.")
    operation, needed, optional = OPERATIONS[name]
    told: dict[str, Any] = {each: request.POST.get(each) for each in (*needed, *optional)}
    if missing := [each for each in needed if told[each] is None]:
        raise Refused(f"Say {missing[0]}.")
    if name in MAKING:
        told["taken"] = publishing.keys_published(workflow)
    try:
        made = operation(workflow.draft, **told)
    except removing.Undecided as undecided:
        raise Asked(offers.question(workflow, told["step"], request)) from undecided
    return change(workflow, made, request)


def _number(text: str) -> int:
    """Of a revision; one that there is not, where the text is no number."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _stale(by: str, request: HttpRequest) -> dict[str, str]:
    if by == request.user.get_username():
        return {"message": "You changed this journey meanwhile, in another window.", "by": by}
    who = history.called([by])[by] or "Somebody else"
    return {"message": f"{who} changed this journey meanwhile.", "by": who}


PAGES = (("operation/", operation_view, "operation"), *offers.PAGES, *history.PAGES)
