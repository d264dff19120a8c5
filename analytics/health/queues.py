"""Every queue of the house: how much waits, since when, and whether that is too long. One statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts.durations import window
from contacts.event_rows import SHARDS
from delivery import providers

# After so many seconds somebody should ask why nobody came. An import may fill the bulk lanes for minutes.
TOO_OLD = {"urgent": 10.0, "bulk": 600.0, "webhooks": 60.0, "housekeeping": 60.0}
DAY = 86_400.0
COUNTED = 50_000  # no queue and lane is counted further
CLASSES = ("marketing", "transactional")
HIDDEN = frozenset({"paused"})  # a pause is meant, however long it takes


@dataclass(frozen=True)
class Queue:
    """`depth` is what could be worked on now, at most COUNTED (`is_more`: or more); `age` how long the oldest could
    have been, in seconds (None: the queue is empty). What waits for an instant to come is in no queue.

    events (to be matched) · enrolments (due) · admission (want into a workflow with a cap, or a braked one, or have a
    wait behind them and need a place) · paused (due, laid aside) · checks (of waits and exits) · entries (asked for by
    steps) · audiences (being brought in) · calls (of webhooks) · posts (to outgoing webhooks that answer) · failed
    (dead letters that nobody decided) · messages (due) · scores (due for a check) · webhooks (to be folded) · in_doubt
    (messages that may have been sent) · counters (deltas to be folded; they have no age)"""

    name: str
    lane: str  # urgent · bulk · webhooks · housekeeping
    depth: int
    age: float | None
    late: bool

    @property
    def is_more(self) -> bool:
        return self.depth >= COUNTED


# Every queue in its index, in the order of its index, and no further than COUNTED: however much lies there, and however
# much of another lane or for later lies beside it, a look costs the same. The oldest is asked for by itself.
_LANES_SQL = "FROM (VALUES ('urgent'), ('bulk')) AS l(lane)"
_DUE = """
    SELECT '{name}', l.lane, counted.depth, counted.oldest
      {lanes} CROSS JOIN LATERAL (
           SELECT count(*) AS depth, min(at) AS oldest FROM (
                  SELECT {at} AS at FROM {table} q WHERE q.lane = l.lane AND {where} ORDER BY {order} LIMIT %(most)s
                  ) AS found) AS counted
"""
# of workflows or ways, each with an index range of its own: {each} says which, {of} what lies there
_OF_EACH = """
    SELECT min(at) AS oldest FROM {each} CROSS JOIN LATERAL (
           SELECT {at} AS at FROM {of} ORDER BY {order} LIMIT 1) AS first
"""
_COUNT_EACH = """
    SELECT count(*) AS depth FROM (
           SELECT FROM {each} CROSS JOIN LATERAL (SELECT FROM {of} ORDER BY {order} LIMIT %(most)s) AS one
            LIMIT %(most)s) AS found
"""
_WANTING = {
    "each": "workflows w",
    "of": "workflow_enrolments e WHERE w.status = 'live' AND e.workflow_id = w.id AND e.lane = l.lane"
    " AND e.state = 'pending'",
    "order": "e.version_id, e.id",
    "at": "e.entered_at",
}
_HELD = {
    "each": "workflows w",
    "of": "workflow_enrolments e WHERE w.status = 'live' AND e.workflow_id = w.id AND e.lane = l.lane"
    " AND e.state = 'waiting' AND e.held AND e.capped AND e.wake_at <= %(now)s",
    "order": "e.wake_at",
    "at": "e.wake_at",
}
_PARKED = {
    "each": "workflows w",
    "of": "workflow_enrolments e WHERE w.status IN ('live', 'paused') AND e.workflow_id = w.id AND e.lane = l.lane"
    " AND e.held AND (NOT e.capped OR e.state = 'active')",
    "order": "e.wake_at",
    "at": "e.wake_at",
}
_EVENTS = {
    "each": f"generate_series(0, {SHARDS - 1}) AS s(shard)",
    "of": "pending_events p WHERE p.lane = l.lane AND p.shard = s.shard",
    "order": "p.event_id",
    "at": "p.recorded_at",
}
_MESSAGES = {
    "each": "unnest(%(channels)s::text[]) AS c(channel) CROSS JOIN unnest(%(classes)s::text[]) AS k(class)"
    " CROSS JOIN generate_series(1, 10) AS r(priority)",
    "of": "outbox o WHERE o.lane = l.lane AND o.channel = c.channel AND o.message_class = k.class"
    " AND o.priority = r.priority AND o.state = 'queued' AND o.due_at <= %(now)s",
    "order": "o.due_at",
    "at": "o.due_at",
}


def _of_each(name: str, *ways: dict[str, str]) -> str:
    looks = ", ".join(
        f"LATERAL ({_COUNT_EACH.format(**way)}) AS n{number}, LATERAL ({_OF_EACH.format(**way)}) AS o{number}"
        for number, way in enumerate(ways)
    )
    depth = " + ".join(f"n{number}.depth" for number in range(len(ways)))
    oldest = ", ".join(f"o{number}.oldest" for number in range(len(ways)))
    return f"SELECT '{name}', l.lane, {depth}, LEAST({oldest}) {_LANES_SQL}, {looks}"


def _due(name: str, table: str, at: str, *, where: str = "true", order: str = "") -> str:
    return _DUE.format(name=name, lanes=_LANES_SQL, table=table, at=at, where=where, order=order or at)


def _whole(name: str, lane: str, of: str, at: str = "NULL::timestamptz") -> str:
    return f"SELECT '{name}', '{lane}', count(*), min(at) FROM (SELECT {at} AS at FROM {of} LIMIT %(most)s) AS found"


# Who is due in a paused workflow is laid aside by the next claim, and is in no queue until then: the rows are read for
# their workflow only if there is a paused one, else their index says all.
_PAUSED = "SELECT w.id FROM workflows w WHERE w.status = 'paused'"
_TO_ADVANCE = """
    SELECT 'enrolments', l.lane, counted.depth, counted.oldest
      {lanes} CROSS JOIN LATERAL (
           SELECT count(*) AS depth, min(wake_at) AS oldest FROM (
                  (SELECT e.wake_at FROM workflow_enrolments e WHERE {due} AND NOT EXISTS ({paused})
                    ORDER BY e.wake_at LIMIT %(most)s)
                  UNION ALL
                  (SELECT e.wake_at FROM workflow_enrolments e
                    WHERE {due} AND EXISTS ({paused}) AND e.workflow_id NOT IN ({paused})
                    ORDER BY e.wake_at LIMIT %(most)s)) AS found) AS counted
""".format(
    lanes=_LANES_SQL,
    paused=_PAUSED,
    due="e.lane = l.lane AND e.state IN ('active', 'waiting') AND NOT e.held AND e.wake_at <= %(now)s",
)
# Who fails is called again for days, and is no sign of a lane that is late: its own page tells of it.
_POSTS = """
    webhook_endpoints e CROSS JOIN LATERAL (
           SELECT q.due_at FROM webhook_deliveries q
            WHERE q.endpoint_id = e.id AND q.state = 'queued' AND q.due_at <= %(now)s ORDER BY q.due_at LIMIT %(most)s
           ) AS d WHERE e.state = 'enabled' AND e.failing_since IS NULL
"""
_QUEUES = " UNION ALL ".join(
    f"({part})"
    for part in (
        _of_each("events", _EVENTS),
        _TO_ADVANCE,
        _of_each("admission", _WANTING, _HELD),
        _of_each("paused", _PARKED),
        _due("checks", "watch_checks", "q.due_at", where="q.due_at <= %(now)s"),
        _due("entries", "entry_requests", "q.requested_at", order="q.id"),
        _due("calls", "webhook_calls", "q.due_at", where="q.state = 'queued' AND q.due_at <= %(now)s"),
        _whole("posts", "bulk", _POSTS, "d.due_at"),
        _whole("audiences", "bulk", "entry_runs WHERE state = 'running'", "started_at"),
        _whole(
            "failed", "housekeeping", "dead_letters WHERE state = 'open' ORDER BY workflow_id, step, id", "failed_at"
        ),
        _of_each("messages", _MESSAGES),
        _due("scores", "score_checks", "q.check_at", where="q.check_at <= %(now)s"),
        _whole("webhooks", "webhooks", "webhook_inbox WHERE folded_at IS NULL ORDER BY id", "received_at"),
        _whole("in_doubt", "webhooks", "outbox WHERE state = 'in_doubt' ORDER BY lease_until", "claimed_at"),
        _whole("counters", "housekeeping", "counter_deltas"),
    )
)
_ORDER = (
    "events", "enrolments", "admission", "paused", "checks", "entries", "audiences", "calls", "posts", "failed",
    "messages", "scores", "webhooks", "in_doubt", "counters",
)  # fmt: skip
_LANES = ("urgent", "bulk", "webhooks", "housekeeping")


def read(*, now: datetime) -> tuple[Queue, ...]:
    """All queues, always the same ones in the same order."""
    with connection.cursor() as cursor:
        cursor.execute(
            _QUEUES, {"now": now, "most": COUNTED, "channels": list(providers.CHANNELS), "classes": list(CLASSES)}
        )
        rows = cursor.fetchall()
    found = [_queue(name, lane, depth, oldest, now) for name, lane, depth, oldest in rows]
    return tuple(sorted(found, key=lambda queue: (_ORDER.index(queue.name), _LANES.index(queue.lane))))


def _queue(name: str, lane: str, depth: int, oldest: datetime | None, now: datetime) -> Queue:
    age = max(0.0, (now - oldest).total_seconds()) if oldest is not None else None
    # a doubt may last until its deadline, and is ended by a sweep soon after
    patience = {"admission": settings.PENDING_ALERT_SECONDS, "audiences": DAY, "failed": DAY}.get(name, TOO_OLD[lane])
    if name == "in_doubt":
        patience += window(settings.IN_DOUBT_DEADLINE, speed=settings.TIME_SPEED).total_seconds()
    return Queue(name, lane, min(depth, COUNTED), age, late=age is not None and age > patience and name not in HIDDEN)
