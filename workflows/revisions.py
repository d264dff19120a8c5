"""The history of a draft: every change is kept with who made it, and can be taken back, also by somebody else and on
another day. What was undone stays in reach until something else is done in its place, and in the history after that.

Every revision has its entry. Those that changed something are a tree (`previous`), and the draft stands at one of them;
undoing and doing again go about in it, and leave an entry that is in no tree: only who did it, when, and what the draft
was then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Q

from contacts import authority
from workflows.models import DraftRevision, Workflow

KEPT = 200  # of a journey

_MAY_CHANGE = "workflows.change_workflow"

_LED_HERE = """
WITH RECURSIVE led_here AS (
    SELECT id, previous_id, 1 AS place FROM draft_revisions WHERE id = %(entry)s
    UNION ALL
    SELECT before.id, before.previous_id, place + 1
    FROM led_here JOIN draft_revisions before ON before.id = led_here.previous_id
    WHERE place < %(kept)s
)
SELECT id FROM led_here
"""


class Stale(Exception):
    """The draft is not the one that the change was made for; `workflow` is how it stands, `by` who changed it last."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__(f"the draft is at revision {workflow.draft_revision}")
        self.workflow = workflow
        last = DraftRevision.objects.filter(workflow=workflow, number=workflow.draft_revision).first()
        self.by = last.by if last else ""


class NothingThere(Exception):
    """There is nothing to undo, or to redo."""


def held(workflow_id: int, *, revision: int | None = None) -> Workflow:
    """The journey, locked until the transaction ends. Raises Stale where its draft is not at `revision`,
    Workflow.DoesNotExist."""
    workflow = (
        Workflow.objects.select_for_update(no_key=True, of=("self",)).select_related("draft_entry").get(pk=workflow_id)
    )
    if revision is not None and workflow.draft_revision != revision:
        raise Stale(workflow)
    return workflow


def begin(workflow: Workflow, *, what: str, by: str, now: datetime) -> None:
    """The first entry of a new journey."""
    workflow.draft_entry = _entry(workflow, previous=None, what=what or "Began", by=by, now=now)
    workflow.save(update_fields=["draft_entry"])


def add(workflow: Workflow, definition: dict[str, Any], *, what: str, by: str, now: datetime) -> None:
    """`definition` becomes the draft of a journey that is held, with the next revision. In the caller's transaction."""
    before = workflow.draft_entry
    if before is None:  # a draft from before there was a history
        before = _entry(workflow, previous=None, what="As it was", by="", now=workflow.updated_at)
    _stand(workflow, definition, now)
    workflow.draft_entry = _entry(workflow, previous=before, what=what or "Saved", by=by, now=now)
    workflow.save(update_fields=["draft_entry"])
    _forget(workflow)


def undo(workflow: Workflow, *, by: str, now: datetime) -> DraftRevision:
    """Back to what the last change was made of; returns the entry that was taken back. Raises NothingThere,
    NotAllowed."""
    authority.require(_MAY_CHANGE)
    current = workflow.draft_entry
    if current is None or current.previous is None:
        raise NothingThere("There is nothing to undo.")
    _go(workflow, current.previous, what=f"Undone: {current.what}", by=by, now=now)
    return current


def redo(workflow: Workflow, *, by: str, now: datetime) -> DraftRevision:
    """Forward again to the newest of what was made of this; returns that entry. Raises NothingThere, NotAllowed."""
    authority.require(_MAY_CHANGE)
    found = _ahead(workflow)
    if found is None:
        raise NothingThere("There is nothing to redo.")
    _go(workflow, found, what=f"Done again: {found.what}", by=by, now=now)
    return found


def entries(workflow: Workflow) -> list[DraftRevision]:
    """What was done to the draft, the last first, without the drafts themselves. `is_now`: whether the draft was then
    what it is now."""
    rows = DraftRevision.objects.filter(workflow=workflow).defer("definition").order_by("-number")
    return list(rows.annotate(is_now=Q(definition=F("workflow__draft"))))


def entry(workflow: Workflow, number: int) -> DraftRevision:
    """Raises NothingThere."""
    found = DraftRevision.objects.filter(workflow=workflow, number=number).first()
    if found is None:
        raise NothingThere("This is too long ago: the history does not go back that far.")
    return found


def can_undo(workflow: Workflow) -> bool:
    return workflow.draft_entry is not None and workflow.draft_entry.previous_id is not None


def can_redo(workflow: Workflow) -> bool:
    return _ahead(workflow) is not None


def _ahead(workflow: Workflow) -> DraftRevision | None:
    if workflow.draft_entry_id is None:
        return None
    return DraftRevision.objects.filter(previous=workflow.draft_entry_id).order_by("-number").first()


def _go(workflow: Workflow, target: DraftRevision, *, what: str, by: str, now: datetime) -> None:
    workflow.draft_entry = target
    _stand(workflow, target.definition, now)
    _entry(workflow, previous=None, what=what, by=by, now=now)
    _forget(workflow)


def _stand(workflow: Workflow, definition: dict[str, Any], now: datetime) -> None:
    name = definition.get("name")
    workflow.draft = definition
    workflow.name = name if isinstance(name, str) and name else workflow.name
    workflow.draft_revision += 1
    workflow.updated_at = now
    workflow.save(update_fields=["draft", "name", "draft_revision", "draft_entry", "updated_at"])


def _entry(workflow: Workflow, *, previous: DraftRevision | None, what: str, by: str, now: datetime) -> DraftRevision:
    return DraftRevision.objects.create(
        workflow=workflow,
        number=workflow.draft_revision,
        previous=previous,
        definition=workflow.draft,
        what=what,
        by=by,
        at=now,
    )


def _forget(workflow: Workflow) -> None:
    """The newest entries stay, and the changes that led to the draft: so many of each."""
    rows = DraftRevision.objects.filter(workflow=workflow)
    numbers = list(rows.order_by("-number").values_list("number", flat=True)[KEPT : KEPT + 1])
    if not numbers:
        return
    with connection.cursor() as cursor:
        cursor.execute(_LED_HERE, {"entry": workflow.draft_entry_id, "kept": KEPT})
        led_here = [pk for (pk,) in cursor.fetchall()]
    rows.filter(number__lte=numbers[0]).exclude(pk__in=led_here).delete()
