"""The rows that an overview is made of, in one statement: whole months as they were folded, from the counters the days
at both ends of what was asked for, and what was not folded yet. However many years, it reads some thousands of rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from django.db import connection

from analytics.counting.counted import STANDING, TEMPLATE
from analytics.counting.counters import IS_OF_A_DAY, OF_A_DAY

Rows = defaultdict[str, list[tuple[Any, ...]]]
_Days = tuple[date, date]  # both of them are included; the first after the last: none
_NONE: _Days = (date.max, date.min)

# `ever`: by months, `mine`: of the days and the version asked for. `doubtful`: a few rows, found by their leases.
_READ = f"""
    WITH unfolded AS MATERIALIZED (
        SELECT version_id, step, metric, facet, day, amount FROM counter_deltas WHERE workflow_id = %(workflow)s),
    months AS MATERIALIZED (
        SELECT version_id, step, metric, facet, month, amount FROM counter_months WHERE workflow_id = %(workflow)s),
    mine AS NOT MATERIALIZED (
        SELECT version_id, step, metric, facet, amount FROM months
         WHERE metric = ANY(%(standing)s) OR month BETWEEN %(whole_since)s AND %(whole_until)s
        UNION ALL
        SELECT version_id, step, metric, facet, amount FROM counters
         WHERE workflow_id = %(workflow)s AND day BETWEEN %(head_since)s AND %(head_until)s
           AND metric <> ALL(%(standing)s)
        UNION ALL
        SELECT version_id, step, metric, facet, amount FROM counters
         WHERE workflow_id = %(workflow)s AND day BETWEEN %(tail_since)s AND %(tail_until)s
           AND metric <> ALL(%(standing)s)
        UNION ALL
        SELECT version_id, step, metric, facet, amount FROM unfolded
         WHERE metric = ANY(%(standing)s) OR day BETWEEN %(since)s AND %(until)s),
    of_days AS NOT MATERIALIZED (
        SELECT version_id, metric, day, amount FROM counter_days
         WHERE workflow_id = %(workflow)s AND day BETWEEN %(since)s AND %(until)s
        UNION ALL
        SELECT version_id, {OF_A_DAY}, day, amount FROM unfolded
         WHERE {IS_OF_A_DAY} AND day BETWEEN %(since)s AND %(until)s),
    fates AS MATERIALIZED (
        SELECT version_id, metric, sum(amount)::bigint AS amount
          FROM (SELECT version_id, step, metric, facet, amount FROM months
                UNION ALL SELECT version_id, step, metric, facet, amount FROM unfolded) AS ever
         WHERE facet = '' AND (step = '' OR metric = ANY(%(standing)s)) GROUP BY 1, 2),
    doubtful AS MATERIALIZED (
        SELECT m.version_id, m.step, t.slug, count(*) AS amount
          FROM outbox o JOIN messages m ON m.id = o.message_id
          JOIN template_versions v ON v.id = m.template_version_id JOIN templates t ON t.id = v.template_id
         WHERE o.state = 'in_doubt' AND m.workflow_id = %(workflow)s GROUP BY 1, 2, 3)
    SELECT 'place' AS source, step, metric, facet, NULL::date AS day, sum(amount)::bigint AS amount,
           0::bigint AS number, NULL::timestamptz AS at
      FROM mine WHERE %(version)s::bigint IS NULL OR version_id = %(version)s
     GROUP BY step, metric, facet HAVING sum(amount) <> 0
    UNION ALL
    SELECT 'place', step, 'in_doubt_now', f.facet, NULL, sum(amount)::bigint, 0, NULL
      FROM doubtful CROSS JOIN LATERAL (VALUES (''), ('{TEMPLATE}' || slug)) AS f(facet)
     WHERE %(version)s::bigint IS NULL OR version_id = %(version)s GROUP BY step, f.facet
    UNION ALL
    SELECT 'day', '', metric, '', day, sum(amount)::bigint, 0, NULL
      FROM of_days WHERE %(version)s::bigint IS NULL OR version_id = %(version)s GROUP BY metric, day
    UNION ALL
    SELECT 'version', '', split_part(f.metric, ':', 1) || CASE WHEN f.metric LIKE 'exited:%%' THEN
           substr(f.metric, 7) ELSE '' END, '', NULL, sum(f.amount)::bigint, v.id, NULL
      FROM fates f JOIN workflow_versions v ON v.id = f.version_id GROUP BY 3, v.id
    UNION ALL
    SELECT 'number', '', '', '', NULL, v.number, v.id, NULL FROM workflow_versions v WHERE v.workflow_id = %(workflow)s
    UNION ALL
    SELECT 'book', '', CASE WHEN metric = ANY(%(standing)s) THEN 'here' ELSE split_part(metric, ':', 1) END, '', NULL,
           sum(amount)::bigint, 0, NULL
      FROM fates GROUP BY 3
    UNION ALL
    SELECT 'checked', '', b.name, '', NULL, b.left, b.right, c.checked_at
      FROM counter_checks c
      LEFT JOIN LATERAL jsonb_to_recordset(c.books) AS b(name text, "left" bigint, "right" bigint)
                ON b.name LIKE 'post %%'
     WHERE c.workflow_id = %(workflow)s
    UNION ALL
    SELECT 'wrong', '', '', '', NULL, c.wrong, 0, NULL FROM counter_checks c WHERE c.workflow_id = %(workflow)s
"""


def read(workflow_id: int, *, version_id: int | None, since: date | None, until: date | None) -> Rows:
    """By source: (step, metric, facet, day, amount, number, at)."""
    whole, head, tail = split(since, until)
    asked = {
        "workflow": workflow_id,
        "version": version_id,
        "standing": sorted(STANDING),
        **_between("", (since or date.min, until or date.max)),
        **_between("whole_", whole),
        **_between("head_", head),
        **_between("tail_", tail),
    }
    rows: Rows = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_READ, asked)
        for source, *row in cursor.fetchall():
            rows[source].append(tuple(row))
    return rows


def split(since: date | None, until: date | None) -> tuple[_Days, _Days, _Days]:
    """The whole months (by their first days) of what is asked for, and the days before and after these."""
    first, last = since or date.min, until or date.max
    if first > last:
        return _NONE, _NONE, _NONE
    head = tail = _NONE
    if first.day > 1:
        head = (first, min(last, _end_of_month(first)))
        first = head[1] + timedelta(days=1) if head[1] < last else date.max
    if first <= last < _end_of_month(last):
        tail = (last.replace(day=1), last)
        last = tail[0] - timedelta(days=1) if tail[0] > date.min else date.min
    return ((first, last) if first < last else _NONE), head, tail


def _end_of_month(day: date) -> date:
    if (day.year, day.month) == (date.max.year, date.max.month):
        return date.max
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _between(name: str, days: _Days) -> dict[str, date]:
    return {f"{name}since": days[0], f"{name}until": days[1]}
