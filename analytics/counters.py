"""Counters: deltas in the transaction of the work that they count, folded later; the truth is always both together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from analytics.counted import Delta
from workflows.figures import Figures
from workflows.models.enrolment import UNFINISHED

FOLDED_AT_ONCE = 10_000
# Everything that was counted, folded or not.
_COLUMNS = "workflow_id, version_id, step, metric, day, amount"
ALL = f"(SELECT {_COLUMNS} FROM counters UNION ALL SELECT {_COLUMNS} FROM counter_deltas)"


def add(deltas: Sequence[Delta], *, now: datetime) -> None:
    """Write deltas in the caller's transaction: they count if and only if the work does. One statement."""
    if not deltas:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO counter_deltas (workflow_id, version_id, step, metric, day, amount)
            SELECT d.workflow_id, d.version_id, d.step, d.metric, %s, d.amount
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])
                   AS d(workflow_id, version_id, step, metric, amount)
            """,
            [
                now.astimezone(UTC).date(),
                [delta.workflow_id for delta in deltas],
                [delta.version_id for delta in deltas],
                [delta.step for delta in deltas],
                [delta.metric for delta in deltas],
                [delta.amount for delta in deltas],
            ],
        )


def fold(limit: int = FOLDED_AT_ONCE) -> bool:
    """Move up to `limit` deltas into the counters. Returns whether there were any. One statement, so a total that is
    read meanwhile has every delta exactly once. Two folders do not meet: each takes other deltas, and the counters in
    the order of their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                DELETE FROM counter_deltas WHERE id = ANY(ARRAY(
                    SELECT id FROM counter_deltas ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING workflow_id, version_id, step, metric, day, amount)
            INSERT INTO counters (workflow_id, version_id, step, metric, day, amount)
            SELECT workflow_id, version_id, step, metric, day, sum(amount) FROM taken
             GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
            ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_and_day
            DO UPDATE SET amount = counters.amount + EXCLUDED.amount
            """,
            [limit],
        )
        return cursor.rowcount > 0


_OF_WHOLE = frozenset({"entered", "refused", "moved_in", "moved_out"})  # the other metrics are fates of enrolments


def totals(workflow_id: int, *, version_id: int | None = None) -> dict[str, Any]:
    """What happened in a workflow (or in one version of it), in one round trip:

    {"entered": n, "refused": {reason: n}, "moved_in": n, "moved_out": n (by edit plans, if there were any),
     "enrolments": {"pending": n, "active": n, "waiting": n, "completed": n, "exited": {reason: n}, "failed": n},
     "steps": {KEY: {"entered": n, "here_now": n, "waiting": n, "left": {port: n},
                     "accepted": n, "capped": {reason: n}, "opened": n, …}}}

    Metrics that were never counted are left out of a step, except the first three. See `analytics.counted`."""
    where = "workflow_id = %(workflow)s AND (%(version)s::bigint IS NULL OR version_id = %(version)s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT 'counted', step, metric, sum(amount)::bigint FROM {ALL} AS counted WHERE {where} GROUP BY 2, 3
            UNION ALL
            SELECT 'live', step, state, count(*) FROM workflow_enrolments
             WHERE {where} AND state IN ('pending', 'active', 'waiting') GROUP BY 2, 3
            """,
            {"workflow": workflow_id, "version": version_id},
        )
        rows = cursor.fetchall()
    enrolments: dict[str, Any] = dict.fromkeys(UNFINISHED, 0) | {"completed": 0, "exited": {}, "failed": 0}
    whole: dict[str, Any] = {"entered": 0, "refused": {}}
    steps: dict[str, dict[str, Any]] = {}
    for source, step, name, amount in rows:
        if source == "live":
            enrolments[name] += amount
            _add_here(_step(steps, step), name, amount)
        elif step:
            _put(_step(steps, step), name, amount)
        else:
            _put(whole if name.partition(":")[0] in _OF_WHOLE else enrolments, name, amount)
    return {**whole, "enrolments": enrolments, "steps": steps}


def figures(workflow_ids: Collection[int]) -> Mapping[int, Figures]:
    """The numbers of many workflows, for lists of them. One statement. Workflows that nobody entered are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT workflow_id, split_part(metric, ':', 1), sum(amount)::bigint FROM {ALL} AS counted
             WHERE workflow_id = ANY(%(ids)s) AND step = '' GROUP BY 1, 2
            UNION ALL
            SELECT workflow_id, state, count(*) FROM workflow_enrolments
             WHERE workflow_id = ANY(%(ids)s) AND state IN ('pending', 'active', 'waiting') GROUP BY 1, 2
            """,
            {"ids": sorted(workflow_ids)},
        )
        numbers: dict[int, dict[str, int]] = {}
        for workflow_id, name, amount in cursor.fetchall():
            numbers.setdefault(workflow_id, {})[name] = amount
    return {
        workflow_id: Figures(
            entered=known.get("entered", 0),
            here_now=sum(known.get(state, 0) for state in UNFINISHED),
            waiting=known.get("waiting", 0),
            completed=known.get("completed", 0),
            exited=known.get("exited", 0),
            failed=known.get("failed", 0),
        )
        for workflow_id, known in numbers.items()
        if known.get("entered")
    }


def _step(steps: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return steps.setdefault(key, {"entered": 0, "here_now": 0, "waiting": 0})


def _add_here(step: dict[str, Any], state: str, amount: int) -> None:
    step["here_now"] += amount
    if state == "waiting":
        step["waiting"] += amount


def _put(numbers: dict[str, Any], metric: str, amount: int) -> None:
    """`exited:goal_achieved` becomes {"exited": {"goal_achieved": amount}}."""
    name, colon, detail = metric.partition(":")
    if colon:
        numbers.setdefault(name, {})[detail] = amount
    else:
        numbers[name] = amount
