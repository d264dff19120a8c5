"""Archived workflows: whoever is still under way in one leaves, a batch at a time.

Archiving lets one batch go itself, so a small journey is empty at once; a large one empties within seconds. Whoever was
brought in by a transaction that still saw the journey live, or is tried again by hand at that moment, is found here,
too. The engine runs no step of theirs meanwhile: it hands over whom it meets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from contacts import doorbell
from workflows.watches import exits

BELL = "workflows.empty"
BELL_LANE = "bulk"
BATCH = 1000
REASON = "workflow_archived"

# The first in order, in the index of unfinished enrolments: else the planner reads the table and hopes for luck.
_TO_EMPTY = """
    SELECT w.id FROM workflows w
     CROSS JOIN LATERAL (
           SELECT FROM workflow_enrolments e
            WHERE e.workflow_id = w.id AND e.state IN ('pending', 'active', 'waiting')
            ORDER BY e.workflow_id, e.contact_id LIMIT 1) AS one
     WHERE w.status = 'archived'
"""


def empty(workflow_id: int, *, now: datetime) -> None:
    """In the transaction that archives it: the first batch leaves, and the others are rung for."""
    if _let_go(workflow_id, now) == BATCH:
        doorbell.ring_on_commit(BELL, BELL_LANE)


def take(due: Mapping[int, Collection[int]], *, now: datetime) -> int:
    """Of these enrolments (by workflow, locked by the caller) those leave whose workflow is archived. Returns how
    many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM workflows WHERE id = ANY(%s) AND status = 'archived'", [sorted(due)])
        archived = [workflow_id for (workflow_id,) in cursor.fetchall()]
    return exits.leave([one for workflow_id in archived for one in due[workflow_id]], reason=REASON, now=now)


def is_work_waiting() -> bool:
    """For the sweep: whether anybody is under way in a workflow that is archived."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({_TO_EMPTY})")
        return cursor.fetchone()[0]


def empty_batch(now: datetime) -> bool:
    """One batch of one such workflow leaves, in the caller's transaction. Returns whether there was one."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_TO_EMPTY} LIMIT 1")
        found = cursor.fetchone()
    return found is not None and _let_go(found[0], now) > 0


def _let_go(workflow_id: int, now: datetime) -> int:
    """Who is locked is waited for: nobody is passed over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM workflow_enrolments WHERE workflow_id = %s AND state IN ('pending', 'active', 'waiting')"
            " ORDER BY contact_id LIMIT %s",
            [workflow_id, BATCH],
        )
        enrolment_ids = [enrolment_id for (enrolment_id,) in cursor.fetchall()]
    return exits.leave(enrolment_ids, reason=REASON, now=now)
