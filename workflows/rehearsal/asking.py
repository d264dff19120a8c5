"""Asking for a rehearsal that runs in a process of its own, and what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contacts import doorbell
from workflows.models import Rehearsal, Workflow
from workflows.rehearsal import running
from workflows.rehearsal.asked import Asked
from workflows.rehearsals import BELL, LANE

KEPT = 20  # of a workflow


def ask(asked: Asked, *, by: str, now: datetime) -> Rehearsal:
    """Queue one, in the caller's transaction. Raises CannotRehearse for what can never be rehearsed; older ones than
    the last KEPT of the workflow go."""
    piece = running.find(asked)
    running.scope_of(piece)
    row = Rehearsal.objects.create(
        workflow_id=piece.workflow_id,
        number=asked.version,
        since=asked.since,
        until=asked.until,
        asked={
            "sample": asked.sample,
            "moment": asked.moment.total_seconds(),
            "clock": asked.clock,
            "run_out": asked.run_out,
        },
        asked_by=by,
        asked_at=now,
    )
    finished = Rehearsal.objects.filter(workflow_id=piece.workflow_id, finished_at__isnull=False).order_by("-id")
    Rehearsal.objects.filter(pk__in=list(finished.values_list("pk", flat=True)[KEPT:])).delete()
    doorbell.ring_on_commit(BELL, LANE)
    return Rehearsal.objects.get(pk=row.pk)


def asked_of(row: Rehearsal) -> Asked:
    said: Mapping[str, Any] = row.asked
    return Asked(
        slug=Workflow.objects.values_list("slug", flat=True).get(pk=row.workflow_id),
        since=row.since,
        until=row.until,
        version=row.number,
        sample=float(said["sample"]),
        clock=said["clock"],
        run_out=said["run_out"],
        moment=timedelta(seconds=said["moment"]),
    )
