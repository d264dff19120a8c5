"""Every queue of the house: how much waits, since when, and whether that is too long. One statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts.durations import window

# After so many seconds somebody should ask why nobody came. An import may fill the bulk lanes for minutes.
TOO_OLD = {"urgent": 10.0, "bulk": 600.0, "webhooks": 60.0, "housekeeping": 60.0}


@dataclass(frozen=True)
class Queue:
    """`depth` is what could be worked on now; `age` how long the oldest of it could have been, in seconds (None: the
    queue is empty). What waits for an instant to come is in no queue.

    events (to be matched) · enrolments (due) · messages (due) · scores (due for a check) · webhooks (to be folded) ·
    in_doubt (messages that may have been sent) · counters (deltas to be folded; they have no age)"""

    name: str
    lane: str  # urgent · bulk · webhooks · housekeeping
    depth: int
    age: float | None
    late: bool


_QUEUES = """
    SELECT 'events', l.lane, count(p.event_id), min(p.recorded_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane) LEFT JOIN pending_events p ON p.lane = l.lane GROUP BY l.lane
    UNION ALL
    SELECT 'enrolments', l.lane, count(e.id), min(e.wake_at)
      FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
      LEFT JOIN workflow_enrolments e ON e.lane = l.lane AND e.state IN ('active', 'waiting') AND e.wake_at <= %(now)s
            AND NOT EXISTS (SELECT FROM workflows w WHERE w.id = e.workflow_id AND w.status = 'paused')
     GROUP BY l.lane
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
_ORDER = ("events", "enrolments", "messages", "scores", "webhooks", "in_doubt", "counters")
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
    patience = TOO_OLD[lane]
    if name == "in_doubt":
        patience += window(settings.IN_DOUBT_DEADLINE, speed=settings.TIME_SPEED).total_seconds()
    return Queue(name, lane, depth, age, late=age is not None and age > patience)
