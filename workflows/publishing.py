"""Drafts, and the immutable versions made of them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func

from contacts import audit, authority, freezing
from workflows import admission, archiving, awaiting, pausing, revisions, second_person, wording
from workflows.definition.problems import Problem
from workflows.definition.schema import Definition
from workflows.definition.validation import validate
from workflows.entry import beginnings
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion
from workflows.watches import watching

_OF_A_DRAFT = (
    "draft_revisions",
    "journey_tests",
    "rehearsals",
    "workflow_triggers",
    "trigger_schedules",
    "enrolment_brakes",
)
_MAY_PAUSE = ("workflows.pause_workflow", "workflows.publish_workflow")


class CannotPublish(Exception):
    """The draft has errors; `problems` holds them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.step or 'workflow'}.{p.field}: {p.message}" for p in problems))
        self.problems = problems


class UnableToChange(Exception):
    """The workflow is not in a state that allows this."""


def save_draft(*, definition: dict[str, Any], now: datetime, by: str = "", what: str = "") -> Workflow:
    """Store a draft under the definition's slug, making the workflow if there is none. It may have problems, but it
    must say who it is: raises ValueError without a slug, and NotAllowed. `what` was changed, in a few words, and by
    whom: for the draft's history, which is its audit log."""
    authority.require("workflows.change_workflow", "workflows.add_workflow", "workflows.publish_workflow")
    slug = definition.get("slug")
    if not isinstance(slug, str) or not slug:
        raise ValueError("the definition needs a slug")
    name = definition.get("name")
    called = name if isinstance(name, str) and name else slug
    with transaction.atomic():
        workflow, made = Workflow.objects.select_for_update(no_key=True).get_or_create(
            slug=slug, defaults={"name": called, "draft": definition, "updated_at": now}
        )
        if made:
            revisions.begin(workflow, what=what, by=by, now=now)
        else:
            revisions.add(workflow, definition, what=what, by=by, now=now)
    return workflow


def publish(*, slug: str, by: str, now: datetime, note: str = "") -> int:
    """Freeze the draft as the next version and let new events enrol into it; who is under way stays on the version
    they entered, until an edit plan says otherwise (`edit_plan`). `note`: why, for those who read the versions. Returns
    the version's number. Raises NotAllowed, CannotPublish, UnableToChange, Workflow.DoesNotExist."""
    actor = authority.require("workflows.publish_workflow")
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status == "archived":
            raise UnableToChange("an archived workflow cannot be published")
        second_person.require(workflow, by=by, actor=actor)
        errors = [problem for problem in validate(workflow.draft) if problem.severity == "error"]
        if workflow.draft.get("slug") != slug:
            errors.append(Problem(None, "slug", "bad_value", f"the definition's slug must stay {slug!r}"))
        if errors:
            raise CannotPublish(errors)
        last = WorkflowVersion.objects.filter(workflow=workflow).order_by("-number").first()
        version = WorkflowVersion.objects.create(
            workflow=workflow,
            number=last.number + 1 if last else 1,
            definition=workflow.draft,
            definition_hash=definition_hash(workflow.draft),
            published_at=now,
            published_by=by,
            note=note,
        )
        workflow.live_version = version
        workflow.name = workflow.draft["name"]
        if workflow.status == "draft":
            workflow.status = "live"
        workflow.updated_at = now
        workflow.save(update_fields=["live_version", "name", "status", "updated_at"])
        _index_triggers(workflow, version)
        beginnings.arrange(version, by=by, now=now)
        admission.ring()  # its cap may be another one
        _note("published", workflow, _of_version(last), _of_version(version, note=note))
    return version.number


def restore(*, slug: str, number: int, now: datetime, by: str = "") -> Workflow:
    """Put a version's definition into the draft, which gets its next revision; what runs stays as it is. Raises
    UnableToChange, Workflow.DoesNotExist, WorkflowVersion.DoesNotExist."""
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status == "archived":
            raise UnableToChange("an archived workflow is not changed any more")
        version = WorkflowVersion.objects.get(workflow=workflow, number=number)
        what = f"Restored version {number}"
        return save_draft(definition=version.definition, now=now, by=by, what=what)


def definition_hash(definition: dict[str, Any]) -> str:
    """SHA-256 of the definition in a canonical spelling; the same before and after it was stored."""
    stored = json.loads(json.dumps(definition), parse_float=_as_stored)
    canonical = json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _as_stored(number: str) -> float | int:
    """PostgreSQL knows no zero below zero, and writes large numbers out, which are read as whole ones then."""
    value = float(number) + 0.0
    return int(Decimal(number)) if abs(value) >= 1e16 else value


def keys_published(workflow: Workflow) -> set[str]:
    """Of the steps of all its versions. What was counted under a key, and who waits there, belongs to that step."""
    keys = Func(F("definition__steps"), function="jsonb_object_keys")
    return set(WorkflowVersion.objects.filter(workflow=workflow).values_list(keys, flat=True).distinct())


def _index_triggers(workflow: Workflow, version: WorkflowVersion) -> None:
    trigger = Definition.model_validate(version.definition).entry.trigger
    WorkflowTrigger.objects.filter(workflow=workflow).delete()
    if (event_type := trigger.event_type()) is not None:
        WorkflowTrigger.objects.create(workflow=workflow, version=version, event_type=event_type)
    watching.watch(version, now=version.published_at)
    awaiting.declare(workflow.pk)


def pause(*, slug: str, now: datetime) -> None:
    """No event enrols any more, and nobody advances until it is resumed. Raises NotAllowed, UnableToChange."""
    authority.require(*_MAY_PAUSE)
    _move(slug, {"live"}, "paused", now)


def resume(*, slug: str, now: datetime) -> None:
    """Who came due meanwhile goes on, in the order of their wake times. Raises NotAllowed, UnableToChange."""
    authority.require(*_MAY_PAUSE)
    with transaction.atomic():
        workflow = _move(slug, {"paused"}, "live", now)
        if any(each.workflow_id == workflow.pk for each in freezing.standing()):
            raise UnableToChange("this workflow is frozen: it goes on when it is released")
        pausing.ring()
        admission.ring()


def freeze(*, slug: str, reason: str, now: datetime) -> int:
    """Paused, and what it has in the queue waits, too: messages and calls of webhooks. Returns the workflow's id, for
    `freezing.settle` after the commit. Raises NotAllowed, UnableToChange, Workflow.DoesNotExist."""
    authority.require(freezing.FREEZE)
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status not in ("live", "paused"):
            raise UnableToChange(f"this workflow is {wording.status(workflow.status)}")
        is_live = workflow.status == "live"
        of = ("workflow", slug)
        if freezing.freeze(reason=reason, workflow_id=workflow.pk, of=of, resumes=is_live, now=now) and is_live:
            _move(slug, {"live"}, "paused", now)
    return workflow.pk


def release(*, slug: str, now: datetime) -> bool:
    """What waits goes on, and the workflow itself if it was live when it was frozen. Returns whether it was frozen.
    Raises NotAllowed, Workflow.DoesNotExist."""
    authority.require(freezing.FREEZE)
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        ended = freezing.release(workflow_id=workflow.pk, of=("workflow", slug), now=now)
        if workflow.status == "paused" and any(each.resumes for each in ended):
            _move(slug, {"paused"}, "live", now)
            pausing.ring()
            admission.ring()
    return bool(ended)


def archive(*, slug: str, now: datetime) -> None:
    """For good: nothing enrols, nobody advances, and who is under way leaves with the reason `workflow_archived`: a
    batch of them at once, the others within seconds. Raises NotAllowed, UnableToChange."""
    authority.require("workflows.publish_workflow")
    with transaction.atomic():
        workflow = _move(slug, {"draft", "live", "paused"}, "archived", now)
        archiving.empty(workflow.pk, now=now)
        beginnings.withdraw(workflow.pk, now=now)
        awaiting.declare(workflow.pk)


def discard(*, slug: str, now: datetime) -> None:
    """Delete a draft that was never published, with its history, its tests and its rehearsals. Set-based: none of that
    is fetched. Raises NotAllowed, UnableToChange, Workflow.DoesNotExist."""
    authority.require("workflows.delete_workflow")
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update().get(slug=slug)
        if workflow.live_version_id is not None:
            raise UnableToChange("a journey that was published is archived, not deleted")
        _note("deleted", workflow, {"status": workflow.status, "definition": definition_hash(workflow.draft)}, None)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE workflows SET draft_entry_id = NULL WHERE id = %s", [workflow.pk])
            for table in _OF_A_DRAFT:
                cursor.execute(f"DELETE FROM {table} WHERE workflow_id = %s", [workflow.pk])
            cursor.execute("DELETE FROM workflows WHERE id = %s", [workflow.pk])


def _move(slug: str, allowed: set[str], status: str, now: datetime) -> Workflow:
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status not in allowed:
            raise UnableToChange(f"this workflow is {wording.status(workflow.status)}")
        if status == "archived" and workflow.live_version_id is None:
            raise UnableToChange("a draft that was never published is deleted in the admin, not archived")
        before, workflow.status = workflow.status, status
        workflow.updated_at = now
        workflow.save(update_fields=["status", "updated_at"])
        deed = "resumed" if status == "live" else status
        _note(deed, workflow, {"status": before}, {"status": status})
    return workflow


def _of_version(version: WorkflowVersion | None, **more: Any) -> dict[str, Any] | None:
    """What the audit log keeps of it: the definition itself stands in the version for ever."""
    return {"version": version.number, "definition": version.definition_hash, **more} if version else None


def _note(deed: str, workflow: Workflow, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    audit.note(f"workflow.{deed}", of=("workflow", workflow.slug), name=workflow.name, before=before, after=after)
