"""What a published version sets going beside the events that it listens to: its schedule or its dates, the thresholds
that must be watched for it, and the run that brings in who is there already."""

from __future__ import annotations

from datetime import datetime

from scoring.crossings import thresholds
from workflows import awaiting
from workflows.entry import date_entries, entry_runs, schedules
from workflows.models import TriggerSchedule, WorkflowVersion
from workflows.triggers.date import Date
from workflows.triggers.schedule import Schedule
from workflows.versions import CompiledVersion, compile_version


def arrange(published: WorkflowVersion, *, by: str, now: datetime) -> None:
    """In the transaction that publishes it; what older versions had arranged is withdrawn. A run that still brings in
    people because of an older version ends: this one says anew whether anybody is brought in."""
    version = compile_version(published)
    _withdraw_the_calendar(version.workflow_id, now)
    trigger = version.definition.entry.trigger
    owner = awaiting.owner(version.workflow_id)
    thresholds.declare(owner, trigger.thresholds(), now=now, name=trigger.score_name())
    if isinstance(trigger, Schedule):
        schedules.arrange(version, published_at=published.published_at, now=now)
    if isinstance(trigger, Date):
        date_entries.arrange(version, now=now)
    entry_runs.stop_all(workflow_id=version.workflow_id, kind="existing", now=now)
    if version.definition.entry.enrol_existing:
        _bring_in(version, by, now)


def withdraw(workflow_id: int, *, now: datetime) -> None:
    """In the transaction that archives it."""
    _withdraw_the_calendar(workflow_id, now)
    thresholds.declare(awaiting.owner(workflow_id), (), now=now)
    entry_runs.stop_all(workflow_id=workflow_id, now=now)


def _withdraw_the_calendar(workflow_id: int, now: datetime) -> None:
    TriggerSchedule.objects.filter(workflow_id=workflow_id).delete()
    date_entries.forget(workflow_id, now=now)


def _bring_in(version: CompiledVersion, by: str, now: datetime) -> None:
    entry_runs.begin(workflow_id=version.workflow_id, version_id=version.id, kind="existing", by=by, now=now)
