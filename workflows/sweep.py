"""The sweeper: looks into PostgreSQL for work that nobody was rung for. A lost doorbell is late, never lost."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from contacts import chaos, doorbell, freezing
from contacts.audiences import checks as segment_checks
from contacts.audiences import sweeping
from contacts.importing import runs as imports
from delivery import sweep as post_office
from scoring.crossings import checks
from workflows import admission, archiving, pausing, rehearsals
from workflows.editing import edit_plan
from workflows.entry import brake, entry_runs, entry_work
from workflows.errands import webhook_calls
from workflows.watches import looking, watch_checks


def ring_everywhere(*, now: datetime) -> None:
    """The engine's lanes, and those of the floors below whose work also comes due by itself: messages to try again,
    scores that decay over a threshold, segments that only time moves, files that are being imported."""
    ring_where_work_waits(now=now)
    post_office.ring_where_work_waits(now=now)
    for lane in checks.due_lanes(now=now):
        doorbell.ring(checks.BELL, lane)
    for lane in sweeping.lanes_with_work(now=now):
        doorbell.ring(segment_checks.BELL, lane)
    for task, lane in imports.waiting(now=now):
        doorbell.ring(task, lane)


def ring_where_work_waits(*, now: datetime) -> list[tuple[str, str]]:
    """Ring for every lane with unmatched events, due enrolments or enrolments to admit, for what a pause laid aside,
    for who is left in an archived workflow, and for the brake. Returns the bells rung."""
    if chaos.mutant("nobody_sweeps"):
        return []  # a drill may build in the belief that a bell that was rung is heard
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT 'workflows.intake', lane FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
             WHERE (EXISTS (SELECT FROM pending_events p WHERE p.lane = l.lane)
                    OR EXISTS (SELECT FROM entry_requests r WHERE r.lane = l.lane)) AND {freezing.THAWED}
            UNION ALL
            SELECT 'workflows.advance', lane FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
             -- the first one's, not whether there is one: for that the planner reads the table and hopes for luck
             WHERE (SELECT e.wake_at FROM workflow_enrolments e
                     WHERE e.lane = l.lane AND e.state IN ('active', 'waiting') AND NOT e.held
                     ORDER BY e.wake_at LIMIT 1) <= %s AND {freezing.THAWED}
            """,
            [now],
        )
        bells = [(task, lane) for task, lane in cursor.fetchall()]
    if chaos.mutant("timers.redis_is_the_truth"):
        bells = [bell for bell in bells if bell[0] != "workflows.advance"]
    bells += [(admission.BELL, lane) for lane in admission.lanes_with_work(now=now)]
    bells += [(watch_checks.BELL, lane) for lane in looking.lanes_with_work(now=now)]
    bells += [(webhook_calls.BELL, queue) for queue in webhook_calls.lanes_with_work(now=now)]
    if entry_work.is_waiting(now=now):
        bells.append((entry_runs.BELL, entry_runs.LANE))
    if edit_plan.is_work_waiting():
        bells.append((edit_plan.BELL, edit_plan.LANE))
    if pausing.is_work_waiting():
        bells.append((pausing.BELL, pausing.BELL_LANE))
    if archiving.is_work_waiting():
        bells.append((archiving.BELL, archiving.BELL_LANE))
    if brake.is_work_waiting():
        bells.append((brake.BELL, brake.BELL_LANE))
    if rehearsals.is_work_waiting(now=now):
        bells.append((rehearsals.BELL, rehearsals.LANE))
    for task, lane in bells:
        doorbell.ring(task, lane)
    return bells
