"""Pauses: what is due in a paused workflow is laid aside by the claim that meets it, so that no later claim passes it
over again, and taken up again once the workflow is resumed.

A row is laid aside (`held`) under a lock that a resumption cannot get past, and the work that takes rows up begins
after it: whatever was laid aside is found. What a concurrency cap holds is admission's, not this room's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import connection, transaction

from contacts import chaos, clock, doorbell

BELL = "workflows.release"
BELL_LANE = "bulk"
BATCH = 1000
# A lane gets no more of the released than this ahead of those who come due meanwhile: what was laid aside is older, and
# would all go first.
AHEAD = 5000

_PAUSED = "SELECT id FROM workflows WHERE id = ANY(%s) AND status = 'paused' ORDER BY id FOR SHARE SKIP LOCKED"
_PARKED = "e.held AND (NOT e.capped OR e.state = 'active')"
_TO_RELEASE = f"""
    SELECT w.id, l.lane FROM workflows w CROSS JOIN (VALUES ('urgent'), ('bulk')) AS l(lane)
     -- the first in order: else the planner reads all that is laid aside, or the table, and hopes to be lucky soon
     CROSS JOIN LATERAL (
           SELECT FROM workflow_enrolments e WHERE e.workflow_id = w.id AND e.lane = l.lane AND {_PARKED}
            ORDER BY e.wake_at LIMIT 1) AS one
     WHERE w.status = 'live'
"""


def park(due: Mapping[int, Collection[int]]) -> int:
    """Lay aside these enrolments (by workflow, locked by the caller), where the workflow is still paused. Returns how
    many. A workflow that is being changed at this moment is left to the next claim. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(_PAUSED, [sorted(due)])
        paused = [workflow_id for (workflow_id,) in cursor.fetchall()]
        mine = sorted(enrolment_id for workflow_id in paused for enrolment_id in due[workflow_id])
        if mine:
            cursor.execute("UPDATE workflow_enrolments SET held = true WHERE id = ANY(%s)", [mine])
    chaos.point("pausing.parked")
    return len(mine)


def ring() -> None:
    """After the commit of a resumption."""
    doorbell.ring_on_commit(BELL, BELL_LANE)


def is_work_waiting() -> bool:
    """For the sweep: whether anything is laid aside in a workflow that is live."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS ({_TO_RELEASE})")
        return cursor.fetchone()[0]


def release_batch() -> bool:
    """Take up again what was laid aside in workflows that are live, oldest first, at most BATCH of each workflow and
    lane. Returns whether there was any that the lane has room for. Each workflow is a transaction of its own."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_TO_RELEASE} ORDER BY random()")
        found = cursor.fetchall()
    return sum(_release(workflow_id, lane) for workflow_id, lane in found) > 0


def _release(workflow_id: int, lane: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        # whoever pauses it again waits for this, or has come first
        cursor.execute("SELECT id FROM workflows WHERE id = %s AND status = 'live' FOR SHARE", [workflow_id])
        if cursor.fetchone() is None:
            return 0
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT FROM workflow_enrolments
                 WHERE lane = %s AND state IN ('active', 'waiting') AND NOT held AND wake_at <= %s
                 ORDER BY wake_at LIMIT %s) AS due
            """,
            [lane, clock.now(), AHEAD],
        )
        room = min(BATCH, AHEAD - cursor.fetchone()[0])
        if room <= 0:
            return 0
        cursor.execute(
            f"""
            WITH next AS MATERIALIZED (
                SELECT id FROM workflow_enrolments e
                 WHERE e.workflow_id = %s AND e.lane = %s AND {_PARKED}
                 ORDER BY e.wake_at LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE workflow_enrolments e SET held = false WHERE e.id = ANY(ARRAY(SELECT id FROM next))
            """,
            [workflow_id, lane, room],
        )
        released: int = cursor.rowcount
    if released:
        doorbell.ring("workflows.advance", lane)
    return released
