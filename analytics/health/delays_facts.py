"""The delays that the facts remember, read a minute later by a cursor over ids: whoever does the work pays nothing for
being measured, and `begin_again` measures all of it anew.

Ids are given out before a commit and seen after it, so what is younger than SETTLED_AFTER is left for later: no
transaction lives nearly as long (a statement may take 15 seconds)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from analytics.health import delays

BELL = "analytics.delays"
LANE = "housekeeping"
BATCH = 5_000
SETTLED_AFTER = timedelta(minutes=1)

_LOCK = "SELECT up_to FROM fact_cursors WHERE name = %s FOR UPDATE SKIP LOCKED"
_BEGIN = "INSERT INTO fact_cursors (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING"

# `settled` are the rows of this batch; `took` is what was measured of them: lane, at (an instant of the day it counts
# for), and how long it took.
_MEASURE = """
    WITH batch AS MATERIALIZED ({batch} ORDER BY id LIMIT %(limit)s),
    edge AS MATERIALIZED (
        SELECT COALESCE(min(id) FILTER (WHERE is_open OR at > %(settled)s) - 1, max(id)) AS up_to FROM batch),
    settled AS MATERIALIZED (SELECT batch.* FROM batch, edge WHERE batch.id <= edge.up_to),
    took AS ({took}),
    rounded AS (SELECT lane, (at AT TIME ZONE 'UTC')::date AS day,
                       GREATEST(ceil(extract(epoch FROM took) * 1000), 0)::bigint AS ms
                  FROM took WHERE took IS NOT NULL),
    measured AS (
        INSERT INTO latency_deltas (name, lane, up_to_ms, day, count, sum_ms)
        SELECT %(name)s, lane,
               COALESCE((%(bounds)s::bigint[])[width_bucket(ms - 1, %(bounds)s::bigint[]) + 1], {longer}),
               day, count(*), sum(ms)
          FROM rounded GROUP BY lane, 3, day),
    {also}
    moved AS (
        UPDATE fact_cursors SET up_to = edge.up_to FROM edge WHERE name = %(name)s AND edge.up_to > fact_cursors.up_to)
    SELECT COALESCE(up_to, 0), (SELECT count(*) FROM settled) FROM edge
"""

# An event is found in the months in which it may have been recorded: what is older may trigger nothing.
_RECORDED = """(SELECT v.recorded_at FROM contact_events v WHERE v.id = {event}
                   AND v.recorded_at BETWEEN {entered} - interval '40 days' AND {entered} + interval '1 minute')"""

_ENROLMENTS = """
    SELECT id, entered_at AS at, false AS is_open, lane, entry_event_id FROM workflow_enrolments WHERE id > %(after)s
"""
_TO_ENROLMENT = f"""
    SELECT lane, at, at - {_RECORDED.format(event="s.entry_event_id", entered="s.at")} AS took
      FROM settled s WHERE s.entry_event_id IS NOT NULL
"""

_SEND_LOG = """
    SELECT id, at, false AS is_open, message_id, kind, provider, provider_code, reason FROM contact_send_log
     WHERE id > %(after)s
"""
# Of the messages of an enrolment, those that were due as soon as it began: no wait stands before them in its journal.
# What the person's own hours or allowance put off, what somebody sent once more by hand, and a doubt that ended long
# after the provider had taken the message (an acceptance with a reason), say nothing of our speed.
_TO_PROVIDER = f"""
    SELECT m.lane, s.at, s.at - {_RECORDED.format(event="e.entry_event_id", entered="e.entered_at")} AS took
      FROM settled s
      JOIN messages m ON m.id = s.message_id
      JOIN workflow_enrolments e ON e.id = m.enrolment_id
     WHERE s.kind = 'accepted' AND s.reason = '' AND e.entry_event_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM workflow_journal j
                        WHERE j.enrolment_id = m.enrolment_id AND j.outcome = 'waiting' AND j.at <= m.created_at)
       AND NOT EXISTS (SELECT FROM contact_send_log d WHERE d.message_id = m.id
                          AND (d.kind = 'replayed'
                               OR (d.kind = 'deferred' AND d.reason IN ('quiet_hours', 'frequency_cap'))))
"""
_ANSWERS = """answered AS (
        INSERT INTO provider_answers (day, provider, outcome, code, amount)
        SELECT (at AT TIME ZONE 'UTC')::date, provider, kind, COALESCE(provider_code::text, reason), count(*)
          FROM settled
         WHERE provider <> '' AND kind IN ('accepted', 'rejected', 'retry', 'not_started', 'in_doubt')
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT ON CONSTRAINT one_count_per_provider_answer_and_day
        DO UPDATE SET amount = provider_answers.amount + EXCLUDED.amount),"""

# A body that is not folded yet holds the cursor: it is counted once it is, and the queue says meanwhile that it waits.
_BODIES = """
    SELECT id, received_at AS at, folded_at IS NULL AS is_open, folded_at FROM webhook_inbox WHERE id > %(after)s
"""
_TO_FOLDING = "SELECT 'webhooks' AS lane, folded_at AS at, folded_at - at AS took FROM settled"


@dataclass(frozen=True)
class Walk:
    """A table of facts and what is measured of its rows. `table` with its id."""

    table: str
    batch: str
    took: str
    also: str = ""

    @property
    def statement(self) -> str:
        return _MEASURE.format(batch=self.batch, took=self.took, also=self.also, longer=delays.LONGER)


WALKS: Mapping[str, Walk] = {
    delays.EVENT_TO_ENROLMENT: Walk("workflow_enrolments", _ENROLMENTS, _TO_ENROLMENT),
    delays.EVENT_TO_PROVIDER: Walk("contact_send_log", _SEND_LOG, _TO_PROVIDER, _ANSWERS),
    delays.WEBHOOK: Walk("webhook_inbox", _BODIES, _TO_FOLDING),
}


def work(*, now: datetime, limit: int = BATCH) -> bool:
    """Measure one batch of each table, inside the caller's transaction. Returns whether there may be more. Two
    statements for each, and whoever else is measuring a table keeps it to himself."""
    assert connection.in_atomic_block, "a cursor is locked in the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [sorted(WALKS)])
    return any([_measure(name, walk, now=now, limit=limit) for name, walk in WALKS.items()])


def _measure(name: str, walk: Walk, *, now: datetime, limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [name])
        row = cursor.fetchone()
        if row is None:
            return False  # somebody else is at it
        asked = {
            "name": name,
            "after": row[0],
            "limit": limit,
            "settled": now - SETTLED_AFTER,
            "bounds": list(delays.BOUNDS_MS),
        }
        cursor.execute(walk.statement, asked)
        _, settled = cursor.fetchone()
    return bool(settled == limit)


def tidy(*, now: datetime) -> None:
    """Make days that are long past one. Two statements."""
    delays.age(now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH old AS (
                DELETE FROM provider_answers WHERE day < %(before)s AND day > %(long_ago)s
                RETURNING provider, outcome, code, amount)
            INSERT INTO provider_answers (day, provider, outcome, code, amount)
            SELECT %(long_ago)s, provider, outcome, code, sum(amount) FROM old GROUP BY 2, 3, 4 ORDER BY 2, 3, 4
            ON CONFLICT ON CONSTRAINT one_count_per_provider_answer_and_day
            DO UPDATE SET amount = provider_answers.amount + EXCLUDED.amount
            """,
            {"before": now.astimezone(UTC).date() - delays.KEPT, "long_ago": delays.LONG_AGO},
        )


def begin_again() -> None:
    """Forget what was read from the facts, so that all of it is measured anew: the bodies of webhooks as far back as
    they are kept. Timers stay: no fact remembers when a wait was claimed. Inside the caller's transaction."""
    assert connection.in_atomic_block, "histograms and cursors are forgotten together"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM fact_cursors ORDER BY name FOR UPDATE")
        cursor.execute("DELETE FROM latencies WHERE name = ANY(%s)", [sorted(WALKS)])
        cursor.execute("DELETE FROM latency_deltas WHERE name = ANY(%s)", [sorted(WALKS)])
        cursor.execute("DELETE FROM provider_answers")
        cursor.execute("UPDATE fact_cursors SET up_to = 0")


def left() -> Mapping[str, tuple[int, int]]:
    """How far each walk is: (read up to, the newest id). One statement each."""
    far = {}
    with connection.cursor() as cursor:
        for name, walk in WALKS.items():
            cursor.execute(
                f"SELECT COALESCE((SELECT up_to FROM fact_cursors WHERE name = %s), 0),"
                f" COALESCE((SELECT max(id) FROM {walk.table}), 0)",
                [name],
            )
            far[name] = cursor.fetchone()
    return far
