"""Drafts, and the immutable versions made of them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import transaction

from workflows import admission, archiving, awaiting, pausing, wording
from workflows.definition.problems import Problem
from workflows.definition.schema import Definition
from workflows.definition.validation import validate
from workflows.entry import beginnings
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion
from workflows.watches import watching


class CannotPublish(Exception):
    """The draft has errors; `problems` holds them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.step or 'workflow'}.{p.field}: {p.message}" for p in problems))
        self.problems = problems


class UnableToChange(Exception):
    """The workflow is not in a state that allows this."""


def save_draft(*, definition: dict[str, Any], now: datetime) -> Workflow:
    """Store a draft under the definition's slug, making the workflow if there is none. It may have problems, but it
    must say who it is: raises ValueError without a slug."""
    slug = definition.get("slug")
    if not isinstance(slug, str) or not slug:
        raise ValueError("the definition needs a slug")
    name = definition.get("name")
    with transaction.atomic():
        workflow, made = Workflow.objects.select_for_update(no_key=True).get_or_create(
            slug=slug, defaults={"name": name or slug, "draft": definition, "updated_at": now}
        )
        if not made:
            workflow.draft = definition
            workflow.name = name or workflow.name
            workflow.draft_revision += 1
            workflow.updated_at = now
            workflow.save(update_fields=["draft", "name", "draft_revision", "updated_at"])
    return workflow


def publish(*, slug: str, by: str, now: datetime, note: str = "") -> int:
    """Freeze the draft as the next version and let new events enrol into it; who is under way stays on the version
    they entered, until an edit plan says otherwise (`edit_plan`). `note`: why, for those who read the versions. Returns
    the version's number. Raises CannotPublish, UnableToChange, Workflow.DoesNotExist."""
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status == "archived":
            raise UnableToChange("an archived workflow cannot be published")
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
    return version.number


def restore(*, slug: str, number: int, now: datetime) -> Workflow:
    """Put a version's definition into the draft, which gets its next revision; what runs stays as it is. Raises
    UnableToChange, Workflow.DoesNotExist, WorkflowVersion.DoesNotExist."""
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status == "archived":
            raise UnableToChange("an archived workflow is not changed any more")
        version = WorkflowVersion.objects.get(workflow=workflow, number=number)
        return save_draft(definition=version.definition, now=now)


def definition_hash(definition: dict[str, Any]) -> str:
    """SHA-256 of the definition in a canonical spelling."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _index_triggers(workflow: Workflow, version: WorkflowVersion) -> None:
    trigger = Definition.model_validate(version.definition).entry.trigger
    WorkflowTrigger.objects.filter(workflow=workflow).delete()
    if (event_type := trigger.event_type()) is not None:
        WorkflowTrigger.objects.create(workflow=workflow, version=version, event_type=event_type)
    watching.watch(version, now=version.published_at)
    awaiting.declare(workflow.pk)


def pause(*, slug: str, now: datetime) -> None:
    """No event enrols any more, and nobody advances until it is resumed."""
    _move(slug, {"live"}, "paused", now)


def resume(*, slug: str, now: datetime) -> None:
    """Who came due meanwhile goes on, in the order of their wake times."""
    with transaction.atomic():
        _move(slug, {"paused"}, "live", now)
        pausing.ring()
        admission.ring()


def archive(*, slug: str, now: datetime) -> None:
    """For good: nothing enrols, nobody advances, and who is under way leaves with the reason `workflow_archived`: a
    batch of them at once, the others within seconds."""
    with transaction.atomic():
        workflow = _move(slug, {"draft", "live", "paused"}, "archived", now)
        archiving.empty(workflow.pk, now=now)
        beginnings.withdraw(workflow.pk, now=now)
        awaiting.declare(workflow.pk)


def _move(slug: str, allowed: set[str], status: str, now: datetime) -> Workflow:
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update(no_key=True).get(slug=slug)
        if workflow.status not in allowed:
            raise UnableToChange(f"this workflow is {wording.status(workflow.status)}")
        if status == "archived" and workflow.live_version_id is None:
            raise UnableToChange("a draft that was never published is deleted in the admin, not archived")
        workflow.status = status
        workflow.updated_at = now
        workflow.save(update_fields=["status", "updated_at"])
    return workflow
