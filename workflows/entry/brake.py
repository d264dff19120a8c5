"""The brake: a workflow that far more people enter in an hour than its history explains lets nobody begin any more. Who
enters meanwhile waits as `pending`, and begins when somebody releases it; nobody is lost.

The history is the busiest hour of the last HISTORY, so a daily peak is no surprise; a workflow younger than YOUTH has
none, and is not braked. What was released becomes history itself. Whoever a person let in after seeing how many there
are (`Candidate.confirmed`) neither counts nor waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts import audit, authority
from workflows import admission
from workflows.models import Workflow

BELL, BELL_LANE = "workflows.brake", "housekeeping"
HOUR = timedelta(hours=1)
HISTORY = timedelta(days=14)
YOUTH = timedelta(days=3)
FOLDED_AT_ONCE = 5000


@dataclass(frozen=True)
class Braked:
    """A workflow whose brake holds. `rate` and `usual` are enrolments an hour; `waiting`: who wants in."""

    workflow_id: int
    slug: str
    name: str
    braked_at: datetime
    rate: float
    usual: float
    waiting: int


def note(entered: Mapping[int, int], *, now: datetime) -> None:
    """So many entered each workflow: in the transaction of their enrolment, which reads nothing here. One statement."""
    if not entered or not settings.ENROLMENT_BRAKE_FACTOR:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO entry_tallies (workflow_id, at, amount)"
            " SELECT d.workflow_id, %s, d.amount FROM unnest(%s::bigint[], %s::int[]) AS d(workflow_id, amount)",
            [now, sorted(entered), [entered[workflow_id] for workflow_id in sorted(entered)]],
        )


def is_work_waiting() -> bool:
    """For the sweep: whether anybody entered since the last look."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM entry_tallies WHERE NOT folded)")
        return cursor.fetchone()[0]


def look(*, now: datetime) -> bool:
    """Fold what was noted, and brake the workflows of it that are entered too fast. Call inside a transaction. Returns
    whether there was anything to fold."""
    workflow_ids = _fold()
    if workflow_ids and settings.ENROLMENT_BRAKE_FACTOR:
        _brake(workflow_ids, now)
    return bool(workflow_ids)


def held(workflow_id: int | None = None) -> list[Braked]:
    """The workflows whose brake holds now, the latest first; of this one alone where it is given."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.id, w.slug, w.name, b.braked_at, b.rate, b.usual,
                   (SELECT count(*) FROM workflow_enrolments e WHERE e.workflow_id = w.id AND e.state = 'pending')
              FROM enrolment_brakes b JOIN workflows w ON w.id = b.workflow_id
             WHERE b.released_at IS NULL AND w.status IN ('live', 'paused') AND w.id = COALESCE(%s, w.id)
             ORDER BY b.braked_at DESC, w.id
            """,
            [workflow_id],
        )
        return [Braked(*row) for row in cursor.fetchall()]


def release(workflow_id: int, *, by: str, now: datetime) -> bool:
    """Let everybody who waits begin, as far as a concurrency cap allows, and do not brake again within the hour.
    Returns whether the brake held. Call inside a transaction. Raises NotAllowed."""
    authority.require("workflows.publish_workflow")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE enrolment_brakes SET released_at = %s, released_by = %s"
            " WHERE workflow_id = %s AND released_at IS NULL",
            [now, by, workflow_id],
        )
        released = cursor.rowcount > 0
    if released:
        slug, name = Workflow.objects.values_list("slug", "name").get(pk=workflow_id)
        before, after = {"braked": True}, {"braked": False}
        audit.note("workflow.brake_released", of=("workflow", slug), name=name, before=before, after=after)
        admission.ring()
    return released


def prune(*, now: datetime) -> bool:
    """Forget one batch of what is older than the history; whether there may be more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM entry_tallies WHERE id IN (SELECT id FROM entry_tallies WHERE folded AND at < %s LIMIT %s)",
            [now - HISTORY - timedelta(days=1), FOLDED_AT_ONCE],
        )
        return cursor.rowcount == FOLDED_AT_ONCE


def _fold() -> list[int]:
    """One row for each five minutes in place of one for each batch. Two folders do not meet: each takes other rows, and
    the sums in one order. Returns whose."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                DELETE FROM entry_tallies WHERE id = ANY(ARRAY(
                    SELECT id FROM entry_tallies WHERE NOT folded ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING workflow_id, at, amount)
            INSERT INTO entry_tallies (workflow_id, at, amount, folded)
            SELECT workflow_id, date_bin('5 minutes', at, '2000-01-01Z'), sum(amount), true
              FROM taken GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (workflow_id, at) WHERE folded DO UPDATE SET amount = entry_tallies.amount + EXCLUDED.amount
            RETURNING workflow_id
            """,
            [FOLDED_AT_ONCE],
        )
        return sorted({workflow_id for (workflow_id,) in cursor.fetchall()})


def _brake(workflow_ids: list[int], now: datetime) -> None:
    """One statement. `recent` is the last hour, in steps of five minutes; whole hours before it are the history."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH recent AS (
                SELECT workflow_id, sum(amount) AS rate FROM entry_tallies
                 WHERE folded AND workflow_id = ANY(%(ids)s) AND at > %(hour_ago)s GROUP BY 1
                HAVING sum(amount) >= %(sample)s),
            known AS (
                SELECT r.workflow_id, r.rate, max(h.amount) AS usual, min(h.hour) AS since
                  FROM recent r CROSS JOIN LATERAL (
                       SELECT date_bin('1 hour', t.at, '2000-01-01Z') AS hour, sum(t.amount) AS amount
                         FROM entry_tallies t
                        WHERE t.folded AND t.workflow_id = r.workflow_id
                          AND t.at <= %(hour_ago)s AND t.at > %(history)s GROUP BY 1) h
                 GROUP BY 1, 2)
            INSERT INTO enrolment_brakes (workflow_id, braked_at, rate, usual)
            SELECT k.workflow_id, %(now)s, k.rate, k.usual
              FROM known k JOIN workflows w ON w.id = k.workflow_id AND w.status = 'live'
             WHERE k.since <= %(youth)s AND k.rate > k.usual * %(factor)s
             ORDER BY 1
            ON CONFLICT (workflow_id) DO UPDATE
               SET braked_at = EXCLUDED.braked_at, rate = EXCLUDED.rate, usual = EXCLUDED.usual,
                   released_at = NULL, released_by = ''
             WHERE enrolment_brakes.released_at <= %(hour_ago)s
            """,
            {
                "ids": workflow_ids,
                "now": now,
                "hour_ago": now - HOUR,
                "history": now - HISTORY,
                "youth": now - YOUTH,
                "sample": settings.ENROLMENT_BRAKE_SAMPLE,
                "factor": settings.ENROLMENT_BRAKE_FACTOR,
            },
        )
