"""Admission: who may be active at once in a workflow with a concurrency cap, and who goes next when a place is free.

The cap is the live version's. It counts those who are `active` and whose version has a cap (`capped`); whoever waits
has given the place back, and whoever entered under a version without a cap takes none. Only this room makes a capped
enrolment active, under one advisory lock per workflow: lock in one statement, count in the next, so that two of them
never give the same place twice. Waits that are over go before those who want in; of these, urgent ones first, then by
the priority of their version, then by age."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from contacts import chaos, clock, doorbell, freezing
from workflows import signals
from workflows.signals import Moved

BELL = "workflows.admit"
LANES = ("urgent", "bulk")
BATCH = 1000
WORKFLOWS_AT_ONCE = 50
LOCK_CLASS = 7303  # first key of the advisory locks, after intake's; the workflow is the second

# One look into each index for every live workflow: neither a long queue nor many waits for later cost anything. The
# first in order is asked for, not whether there is any: for that the planner reads the table and hopes for luck.
_WITH_WORK = f"""
    SELECT w.id FROM workflows w
     WHERE w.status = 'live' AND {freezing.THAWED}
       AND ((SELECT e.wake_at FROM workflow_enrolments e
              WHERE e.workflow_id = w.id AND e.lane = l.lane AND e.state = 'waiting' AND e.held AND e.capped
              ORDER BY e.wake_at LIMIT 1) <= %(now)s
            OR ((SELECT e.id FROM workflow_enrolments e
                  WHERE e.workflow_id = w.id AND e.lane = l.lane AND e.state = 'pending'
                  ORDER BY e.version_id, e.id LIMIT 1) IS NOT NULL
                AND NOT EXISTS (SELECT FROM enrolment_brakes b WHERE b.workflow_id = w.id AND b.released_at IS NULL)))
"""

_RESUME = """
    WITH next AS MATERIALIZED (
        SELECT due.id FROM (VALUES ('urgent'), ('bulk')) AS l(lane)
         CROSS JOIN LATERAL (
               SELECT id FROM workflow_enrolments
                WHERE workflow_id = %(workflow)s AND lane = l.lane AND state = 'waiting' AND held AND capped
                  AND wake_at <= %(now)s
                ORDER BY wake_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS due
         LIMIT %(limit)s)
    UPDATE workflow_enrolments e SET state = 'active', held = false, capped = %(capped)s
     WHERE e.id = ANY(ARRAY(SELECT id FROM next))
    RETURNING e.lane, e.version_id, e.step
"""

_ADMIT = """
    WITH line AS MATERIALIZED (
        SELECT l.lane, v.id AS version_id,
               COALESCE((v.definition #>> '{settings,priority}')::int, %(priority)s) AS priority
          FROM unnest(%(lanes)s::text[]) AS l(lane)
          JOIN workflow_versions v ON v.workflow_id = %(workflow)s
         CROSS JOIN LATERAL (
               SELECT FROM workflow_enrolments e
                WHERE e.workflow_id = %(workflow)s AND e.lane = l.lane AND e.version_id = v.id
                  AND e.state = 'pending' ORDER BY e.id LIMIT 1) AS wanted),
    next AS MATERIALIZED (
        SELECT wanting.id FROM line
         CROSS JOIN LATERAL (
               SELECT id FROM workflow_enrolments
                WHERE workflow_id = %(workflow)s AND lane = line.lane AND version_id = line.version_id
                  AND state = 'pending'
                ORDER BY id LIMIT %(limit)s) AS wanting
         ORDER BY line.lane DESC, line.priority DESC, wanting.id LIMIT %(limit)s),
    -- who is leaving at this moment is locked, and passed over
    mine AS MATERIALIZED (
        SELECT id FROM workflow_enrolments WHERE id = ANY(ARRAY(SELECT id FROM next)) AND state = 'pending'
         ORDER BY id FOR UPDATE SKIP LOCKED)
    UPDATE workflow_enrolments e SET state = 'active', wake_at = %(now)s, capped = %(capped)s
     WHERE e.id = ANY(ARRAY(SELECT id FROM mine))
    RETURNING e.lane, e.version_id, e.step
"""
USUAL_PRIORITY = 5


@dataclass(frozen=True)
class Place:
    """What a workflow lets in now. `cap` None: everybody."""

    live: bool
    cap: int | None
    braked: bool


def ring(lanes: tuple[str, ...] = LANES) -> None:
    """After the commit: somebody wants a place, or there is one more."""
    for lane in lanes:
        doorbell.ring_on_commit(BELL, lane)


def admit_batch(*, lane: str) -> bool:
    """Give free places to those who wait for one, workflow by workflow, at most BATCH in each. Returns whether anybody
    got one. The urgent bell admits no one of the bulk lane who wants in; so a flood there keeps no sign-up waiting."""
    admitted = 0
    for workflow_id in _with_work(lane):
        admitted += admit(workflow_id, lanes=LANES if lane == "bulk" else (lane,))
    return admitted > 0


def lanes_with_work(*, now: datetime) -> list[str]:
    """For the sweep."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT lane FROM unnest(%(lanes)s::text[]) AS l(lane) WHERE EXISTS ({_WITH_WORK})",
            {"lanes": list(LANES), "now": now},
        )
        return [lane for (lane,) in cursor.fetchall()]


def admit(workflow_id: int, *, lanes: tuple[str, ...] = LANES, limit: int = BATCH) -> int:
    """One transaction: as many as there are free places, at most `limit`; those who want in must be of these lanes.
    Returns how many became active. Constant statements. Not to be called inside a transaction: the lock goes first."""
    with transaction.atomic(durable=True):
        if not chaos.mutant("admission.no_lock"):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, workflow_id])
        now = clock.now()
        place = _place(workflow_id)
        if not place.live:
            return 0
        free = limit if place.cap is None else min(limit, place.cap - _taken(workflow_id))
        chaos.point("admission.counted")
        if free <= 0:
            return 0
        known: dict[str, Any] = {"workflow": workflow_id, "now": now, "capped": place.cap is not None}
        moved = _move(_RESUME, "waiting", {**known, "limit": free})
        if len(moved) < free and not place.braked:
            known |= {"lanes": list(lanes), "priority": USUAL_PRIORITY}
            moved += _move(_ADMIT, "pending", {**known, "limit": free - len(moved)})
        for lane in sorted(set(moved)):
            doorbell.ring_on_commit("workflows.advance", lane)
        return len(moved)


def _with_work(lane: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT found.id FROM (SELECT %(lane)s::text) AS l(lane), LATERAL ({_WITH_WORK}) AS found"
            " ORDER BY random() LIMIT %(most)s",
            {"lane": lane, "now": clock.now(), "most": WORKFLOWS_AT_ONCE},
        )
        return [workflow_id for (workflow_id,) in cursor.fetchall()]


def _place(workflow_id: int) -> Place:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT w.status = 'live' AND {freezing.THAWED},"
            """ (v.definition #>> '{settings,concurrency_cap}')::int,
                   EXISTS (SELECT FROM enrolment_brakes b WHERE b.workflow_id = w.id AND b.released_at IS NULL)
              FROM workflows w JOIN workflow_versions v ON v.id = w.live_version_id WHERE w.id = %s
            """,
            [workflow_id],
        )
        row = cursor.fetchone()
    return Place(*row) if row else Place(live=False, cap=None, braked=False)


def _taken(workflow_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM workflow_enrolments WHERE workflow_id = %s AND state = 'active' AND capped",
            [workflow_id],
        )
        return cursor.fetchone()[0]


def _move(statement: str, was: str, known: dict[str, Any]) -> list[str]:
    """The lanes of those who were in the state `was`, and are active now; the counters hear of it."""
    with connection.cursor() as cursor:
        cursor.execute(statement, known)
        moved = cursor.fetchall()
    if moved:
        places = Counter((version_id, step) for _, version_id, step in moved)
        deltas = tuple(
            Moved(known["workflow"], version_id, step, state, sign * amount)
            for (version_id, step), amount in sorted(places.items())
            for state, sign in ((was, -1), ("active", 1))
        )
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=known["now"])
    return [lane for lane, _, _ in moved]
