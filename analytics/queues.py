"""Every queue of the house: how much waits, since when, and whether that is too long. One statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts.durations import window

# After so many seconds somebody should ask why nobody came. An import may fill the bulk lanes for minutes.
TOO_OLD = {"urgent": 10.0, "bulk": 600.0, "webhooks": 60.0, "housekeeping": 60.0}
DAY = 86_400.0
HIDDEN = frozenset({"paused"})  # a pause is meant, however long it takes


@dataclass(frozen=True)
class Queue:
    """`depth` is what could be worked on now; `age` how long the oldest of it could have been, in seconds (None: the
    queue is empty). What waits for an instant to come is in no queue.

    events (to be matched) · enrolments (due) · admission (want into a workflow with a cap, or a braked one, or have a
    wait behind them and need a place) · paused (due, laid aside) · checks (of waits and exits) · entries (asked for by
    steps) · audiences (being brought in) · calls (of webhooks) · failed (dead letters that nobody decided) · messages
    (due) · scores (due for a check) · webhooks (to be folded) · in_doubt (messages that may have been sent) · counters
    (deltas to be folded; they have no age)"""

    name: str
    lane: str  # urgent · bulk · webhooks · housekeeping
    depth: int
    age: float | None
    late: bool


# what waits for admission, or lies aside, may be a million: it is counted in its indexes, workflow by workflow
_QUEUES = """
    SELECT 'events', l.lane, count(p.event_id), min(p.recorded_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane) LEFT JOIN pending_events p ON p.lane = l.lane GROUP BY l.lane
    UNION ALL
    SELECT 'enrolments', l.lane, count(e.id), min(e.wake_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN workflow_enrolments e ON e.lane = l.lane AND e.state IN ('active', 'waiting') AND e.wake_at <= %(now)s
            AND NOT e.held
            AND NOT EXISTS (SELECT FROM workflows w WHERE w.id = e.workflow_id AND w.status = 'paused')
     GROUP BY l.lane
    UNION ALL
    SELECT 'admission', l.lane, COALESCE(sum(wanting.count + due.count), 0)::bigint,
           LEAST(min((SELECT entered_at FROM workflow_enrolments e WHERE e.id = wanting.oldest)), min(due.oldest))
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN (workflows w
           CROSS JOIN (VALUES ('urgent'), ('bulk')) AS m(lane)
           CROSS JOIN LATERAL (
                SELECT count(*), min(id) AS oldest FROM workflow_enrolments
                 WHERE workflow_id = w.id AND lane = m.lane AND state = 'pending') AS wanting
           CROSS JOIN LATERAL (
                SELECT count(*), min(wake_at) AS oldest FROM workflow_enrolments
                 WHERE workflow_id = w.id AND lane = m.lane AND state = 'waiting' AND held AND capped
                   AND wake_at <= %(now)s) AS due)
        ON m.lane = l.lane AND w.status = 'live' GROUP BY l.lane
    UNION ALL
    SELECT 'paused', l.lane, COALESCE(sum(parked.count), 0)::bigint, min(parked.oldest)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN (workflows w
           CROSS JOIN (VALUES ('urgent'), ('bulk')) AS m(lane)
           CROSS JOIN LATERAL (
                SELECT count(*), min(wake_at) AS oldest FROM workflow_enrolments
                 WHERE workflow_id = w.id AND lane = m.lane AND held AND (NOT capped OR state = 'active')) AS parked)
        ON m.lane = l.lane AND w.status IN ('live', 'paused') GROUP BY l.lane
    UNION ALL
    SELECT 'checks', l.lane, count(k.id), min(k.due_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN watch_checks k ON k.lane = l.lane AND k.due_at <= %(now)s GROUP BY l.lane
    UNION ALL
    SELECT 'entries', l.lane, count(r.id), min(r.requested_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane) LEFT JOIN entry_requests r ON r.lane = l.lane GROUP BY l.lane
    UNION ALL
    SELECT 'calls', l.lane, count(c.id), min(c.due_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN webhook_calls c ON c.lane = l.lane AND c.state = 'queued' AND c.due_at <= %(now)s GROUP BY l.lane
    UNION ALL
    SELECT 'audiences', 'bulk', count(*), min(started_at) FROM entry_runs WHERE state = 'running'
    UNION ALL
    SELECT 'failed', 'housekeeping', count(*), min(failed_at) FROM dead_letters WHERE state = 'open'
    UNION ALL
    SELECT 'messages', l.lane, count(o.message_id), min(o.due_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN outbox o ON o.lane = l.lane AND o.state = 'queued' AND o.due_at <= %(now)s GROUP BY l.lane
    UNION ALL
    SELECT 'scores', l.lane, count(k.contact_id), min(k.check_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN score_checks k ON k.lane = l.lane AND k.check_at <= %(now)s GROUP BY l.lane
    UNION ALL
    SELECT 'webhooks', 'webhooks', count(*), min(received_at) FROM webhook_inbox WHERE folded_at IS NULL
    UNION ALL
    SELECT 'in_doubt', 'webhooks', count(*), min(claimed_at) FROM outbox WHERE state = 'in_doubt'
    UNION ALL
    SELECT 'counters', 'housekeeping', count(*), NULL FROM counter_deltas
"""
_ORDER = (
    "events", "enrolments", "admission", "paused", "checks", "entries", "audiences", "calls", "failed", "messages",
    "scores", "webhooks", "in_doubt", "counters",
)  # fmt: skip
_LANES = ("urgent", "bulk", "webhooks", "housekeeping")


def read(*, now: datetime) -> tuple[Queue, ...]:
    """All queues, always the same ones in the same order."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUES, {"now": now})
        rows = cursor.fetchall()
    found = [_queue(name, lane, depth, oldest, now) for name, lane, depth, oldest in rows]
    return tuple(sorted(found, key=lambda queue: (_ORDER.index(queue.name), _LANES.index(queue.lane))))


def _queue(name: str, lane: str, depth: int, oldest: datetime | None, now: datetime) -> Queue:
    age = max(0.0, (now - oldest).total_seconds()) if oldest is not None else None
    # a doubt may last until its deadline, and is ended by a sweep soon after
    patience = {"admission": settings.PENDING_ALERT_SECONDS, "audiences": DAY, "failed": DAY}.get(name, TOO_OLD[lane])
    if name == "in_doubt":
        patience += window(settings.IN_DOUBT_DEADLINE, speed=settings.TIME_SPEED).total_seconds()
    return Queue(name, lane, depth, age, late=age is not None and age > patience and name not in HIDDEN)
