"""Continuous reconciliation: some workflows at a time are counted again from the facts and compared with the counters,
for as long as the house runs.

A slice is one statement, so work that goes on meanwhile is in both sides or in neither. It takes those that were
checked longest ago, small ones together, a large one alone; what it took decides when the next one comes, so checking
never takes more than a fiftieth of the time of one connection, however many facts there are."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from analytics.counting import books, rebuild
from analytics.counting.rebuild import Difference

BELL, LANE = "analytics.reconcile", "housekeeping"
TOGETHER = 50_000  # enrolments of the workflows of a slice, so that small ones are checked together
MOST_WORKFLOWS = 200  # of a slice
SHARE = 50  # a slice that took a second is followed by a pause of so many
AGAIN_AFTER = timedelta(minutes=1)  # the same workflow, at the earliest
MOST_KEPT = 100  # differences of a workflow that are named
LOCK = (7310, 1)  # one check at a time
LONGEST_MS = 30 * 60 * 1000

_DUE = """
    SELECT w.id, COALESCE(f.entered, 0)
      FROM (SELECT id FROM workflows WHERE status <> 'draft' UNION ALL SELECT 0) w
      LEFT JOIN counter_checks c ON c.workflow_id = w.id
      LEFT JOIN (SELECT workflow_id, sum(amount) AS entered FROM counter_months
                  WHERE step = '' AND metric = 'entered' AND facet = '' GROUP BY 1) f ON f.workflow_id = w.id
     WHERE c.checked_at IS NULL OR c.checked_at <= %(before)s
     ORDER BY c.checked_at NULLS FIRST, w.id LIMIT %(most)s
"""
_KEEP = """
    INSERT INTO counter_checks (workflow_id, checked_at, took_ms, differences, wrong, books)
    SELECT d.workflow_id, %s, %s, d.differences, d.wrong, d.books
      FROM json_to_recordset(%s) AS d(workflow_id bigint, differences jsonb, wrong int, books jsonb)
     ORDER BY d.workflow_id
    ON CONFLICT (workflow_id) DO UPDATE SET checked_at = EXCLUDED.checked_at, took_ms = EXCLUDED.took_ms,
       differences = EXCLUDED.differences, wrong = EXCLUDED.wrong, books = EXCLUDED.books
"""


@dataclass(frozen=True)
class Finding:
    """What the last check of a workflow found wrong: a counter, or a book that does not balance. `place` names the
    workflow, step, facet, metric, day and version of a counter, and stays the same as long as it is the same thing;
    `counted` is what came in, or what the counter says, `facts` what became of it, or what the facts say."""

    workflow: str  # its slug; empty: messages that no workflow wanted
    place: str
    counted: int
    facts: int
    checked_at: datetime


def is_due(*, now: datetime) -> bool:
    """For the sweep."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(checked_at + took_ms * %s * interval '1 millisecond') FROM counter_checks", [SHARE])
        (rested_at,) = cursor.fetchone()
        if rested_at is not None and rested_at > now:
            return False
        cursor.execute(_DUE, {"before": now - AGAIN_AFTER, "most": 1})
        return cursor.fetchone() is not None


def check_slice(now: datetime) -> bool:
    """Check those that were checked longest ago, if it is time. In the caller's transaction; nobody who works waits for
    it. Returns whether anything was checked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", LOCK)
        if not cursor.fetchone()[0] or not is_due(now=now):
            return False
        cursor.execute(_DUE, {"before": now - AGAIN_AFTER, "most": MOST_WORKFLOWS})
        ids = _together(cursor.fetchall())
        cursor.execute(f"SET LOCAL statement_timeout = {LONGEST_MS}")
    began = time.perf_counter()
    check(ids, now=now, began=began)
    return True


def check(workflow_ids: Sequence[int], *, now: datetime, began: float | None = None) -> None:
    """Count these again (0: messages that no workflow wanted), and keep what was found."""
    began = time.perf_counter() if began is None else began
    found = rebuild.compare(workflow_ids).differences
    balanced = books.of_workflows(workflow_ids)
    rows = []
    for workflow_id in workflow_ids:
        wrong = [each for each in found if each.workflow_id == workflow_id]
        rows.append(
            {
                "workflow_id": workflow_id,
                "differences": [_kept(each) for each in wrong[:MOST_KEPT]],
                "wrong": len(wrong),
                "books": [{"name": b.name, "left": b.left, "right": b.right} for b in balanced.get(workflow_id, ())],
            }
        )
    took = int((time.perf_counter() - began) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [now, took, json.dumps(rows)])


def differences() -> list[Finding]:
    """What the last check of each workflow found, for alerts and the doctor. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE(w.slug, ''), b.name, b.left, b.right, c.checked_at
              FROM counter_checks c LEFT JOIN workflows w ON w.id = c.workflow_id
             CROSS JOIN LATERAL jsonb_to_recordset(c.books || c.differences)
                   AS b(name text, "left" bigint, "right" bigint)
             WHERE b.left <> b.right ORDER BY w.slug, b.name
            """
        )
        return [Finding(*row) for row in cursor.fetchall()]


def _together(due: Sequence[tuple[int, int]]) -> list[int]:
    """As many of them, in their order, as are small enough together; the first in any case."""
    ids: list[int] = []
    entered = 0
    for workflow_id, people in due:
        entered += int(people)
        if ids and entered > TOGETHER:
            break
        ids.append(workflow_id)
    return ids


def _kept(wrong: Difference) -> dict[str, Any]:
    return {"name": f"counter {wrong.place}", "left": wrong.counted, "right": wrong.facts}
