"""Counters: deltas in the transaction of the work that they count, folded later; the truth is always both together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from analytics.counting.counted import NO_DAY, STANDING, TEMPLATE, VARIANT, Delta
from workflows.figures import Figures
from workflows.models.enrolment import UNFINISHED
from workflows.variants import SEP

FOLDED_AT_ONCE = 10_000
# What was counted, folded or not: by days with the parts of it; of all days with the parts, and without (no facets).
_COLUMNS = "workflow_id, version_id, step, metric, facet"
DAILY = f"(SELECT {_COLUMNS}, day, amount FROM counters UNION ALL SELECT {_COLUMNS}, day, amount FROM counter_deltas)"
FACETED = f"(SELECT {_COLUMNS}, amount FROM counter_months UNION ALL SELECT {_COLUMNS}, amount FROM counter_deltas)"
ALL = f"(SELECT * FROM {FACETED} AS counted WHERE facet = '')"
# Of a row that has a day: its month; what it is called in `counter_days`, and whether it is counted there: what is of
# the workflow itself, and what became of the messages of all steps.
MONTH = "date_trunc('month', day::timestamp)::date"
OF_A_DAY = "split_part(metric, ':', 1)"
IS_OF_A_DAY = f"""(facet = '' AND day <> DATE '{NO_DAY.isoformat()}' AND (step = '' OR metric IN
    ('accepted', 'rejected', 'undetermined', 'replayed', 'delivered', 'opened', 'clicked')))"""


_ADD = """
    INSERT INTO counter_deltas (workflow_id, version_id, step, metric, facet, day, amount)
    SELECT d.workflow_id, d.version_id, d.step, d.metric, d.facet, CASE WHEN d.metric = ANY(%s) THEN %s ELSE %s END,
           d.amount
      FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[])
           AS d(workflow_id, version_id, step, metric, amount, facet, template_version_id)
"""
_ADD_TO_TEMPLATES = f"""
    {_ADD.replace("d.facet,", f"COALESCE('{TEMPLATE}' || t.slug, d.facet),")}
      LEFT JOIN template_versions v ON v.id = d.template_version_id
      LEFT JOIN templates t ON t.id = v.template_id
"""


def add(deltas: Sequence[Delta], *, now: datetime) -> None:
    """Write deltas in the caller's transaction: they count if and only if the work does. One statement."""
    if not deltas:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD_TO_TEMPLATES if any(delta.template_version_id for delta in deltas) else _ADD,
            [
                sorted(STANDING),
                NO_DAY,
                now.astimezone(UTC).date(),
                [delta.workflow_id for delta in deltas],
                [delta.version_id for delta in deltas],
                [delta.step for delta in deltas],
                [delta.metric for delta in deltas],
                [delta.amount for delta in deltas],
                [delta.facet for delta in deltas],
                [delta.template_version_id for delta in deltas],
            ],
        )


def fold(limit: int = FOLDED_AT_ONCE) -> bool:
    """Move up to `limit` deltas into the counters, their months and their days. Returns whether there were any. One
    statement, so a total that is read meanwhile has every delta exactly once. Two folders do not meet: each takes other
    deltas, and the rows of one table after the other in the order of their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH taken AS (
                DELETE FROM counter_deltas WHERE id = ANY(ARRAY(
                    SELECT id FROM counter_deltas ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING workflow_id, version_id, step, metric, facet, day, amount),
            months AS (
                INSERT INTO counter_months AS kept (workflow_id, version_id, step, metric, facet, month, amount)
                SELECT workflow_id, version_id, step, metric, facet, {MONTH}, sum(amount) FROM taken
                 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
                ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_facet_and_month
                DO UPDATE SET amount = kept.amount + EXCLUDED.amount),
            days AS (
                INSERT INTO counter_days AS kept (workflow_id, day, version_id, metric, amount)
                SELECT workflow_id, day, version_id, {OF_A_DAY}, sum(amount) FROM taken WHERE {IS_OF_A_DAY}
                 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
                ON CONFLICT ON CONSTRAINT one_counter_per_workflow_day_and_metric
                DO UPDATE SET amount = kept.amount + EXCLUDED.amount)
            INSERT INTO counters (workflow_id, version_id, step, metric, facet, day, amount)
            SELECT workflow_id, version_id, step, metric, facet, day, sum(amount) FROM taken
             GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
            ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_facet_and_day
            DO UPDATE SET amount = counters.amount + EXCLUDED.amount
            """,
            [limit],
        )
        return cursor.rowcount > 0


_OF_WHOLE = frozenset({"entered", "refused", "moved_in", "moved_out"})  # the other metrics are fates of enrolments


def totals(workflow_id: int, *, version_id: int | None = None) -> dict[str, Any]:
    """What happened in a workflow (or in one version of it), in one round trip that costs the same however many people
    there are:

    {"entered": n, "refused": {reason: n}, "moved_in": n, "moved_out": n (by edit plans, if there were any),
     "enrolments": {"pending": n, "active": n, "waiting": n, "completed": n, "exited": {reason: n}, "failed": n},
     "steps": {KEY: {"entered": n, "here_now": n, "waiting": n, "left": {port: n},
                     "accepted": n, "capped": {reason: n}, "opened": n, …}},
     "templates": {SLUG: {"queued": n, "accepted": n, "opened": n, …}},
     "variants": {EXPERIMENT: {VARIANT: {"entered": n (took it), "here_now": n, "completed": n, "exited": {reason: n},
                                         "failed": n, "steps": {KEY: {"entered": n, "accepted": n, …}}}}}}

    Metrics that were never counted are left out of a step, except the first three, and of a template; the variants
    count what people did after they took them. See `analytics.counting.counted`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT step, metric, facet, sum(amount)::bigint FROM {FACETED} AS counted
             WHERE workflow_id = %(workflow)s AND (%(version)s::bigint IS NULL OR version_id = %(version)s)
             GROUP BY 1, 2, 3 HAVING sum(amount) <> 0 ORDER BY 1, 2, 3
            """,
            {"workflow": workflow_id, "version": version_id},
        )
        rows = cursor.fetchall()
    enrolments: dict[str, Any] = dict.fromkeys(UNFINISHED, 0) | {"completed": 0, "exited": {}, "failed": 0}
    whole: dict[str, Any] = {"entered": 0, "refused": {}}
    steps: dict[str, dict[str, Any]] = {}
    templates: dict[str, dict[str, Any]] = {}
    variants: dict[str, dict[str, Any]] = {}
    for step, metric, facet, amount in rows:
        if facet.startswith(TEMPLATE):
            _add(templates.setdefault(facet.removeprefix(TEMPLATE), {}), metric, amount)
        elif facet:
            _put_variant(variants, facet.removeprefix(VARIANT), step, metric, amount)
        elif metric in STANDING:
            enrolments[metric] += amount
            _add_here(_step(steps, step), metric, amount)
        elif step:
            _put(_step(steps, step), metric, amount)
        else:
            _put(whole if metric.partition(":")[0] in _OF_WHOLE else enrolments, metric, amount)
    for experiment in variants.values():
        for variant in experiment.values():
            variant["here_now"] = _still_here(variant)
    return {**whole, "enrolments": enrolments, "steps": steps, "templates": templates, "variants": variants}


def figures(workflow_ids: Collection[int]) -> Mapping[int, Figures]:
    """The numbers of many workflows, for lists of them. One statement. Workflows that nobody entered are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT workflow_id, split_part(metric, ':', 1), sum(amount)::bigint FROM {ALL} AS counted
             WHERE workflow_id = ANY(%(ids)s) AND (step = '' OR metric = ANY(%(standing)s)) GROUP BY 1, 2
            """,
            {"ids": sorted(workflow_ids), "standing": sorted(STANDING)},
        )
        numbers = _by_id(cursor.fetchall())
    return {workflow_id: _figures(known) for workflow_id, known in numbers.items() if known.get("entered")}


def figures_of_versions(workflow_id: int) -> Mapping[int, Figures]:
    """The numbers of each version of a workflow that anybody entered or was moved to, by the version's id."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT version_id, split_part(metric, ':', 1), sum(amount)::bigint FROM {ALL} AS counted
             WHERE workflow_id = %(workflow)s AND (step = '' OR metric = ANY(%(standing)s)) GROUP BY 1, 2
            """,
            {"workflow": workflow_id, "standing": sorted(STANDING)},
        )
        return {version_id: _figures(known) for version_id, known in _by_id(cursor.fetchall()).items()}


def _by_id(rows: Iterable[tuple[int, str, int]]) -> dict[int, dict[str, int]]:
    numbers: dict[int, dict[str, int]] = {}
    for each, name, amount in rows:
        numbers.setdefault(each, {})[name] = amount
    return numbers


def _figures(known: Mapping[str, int]) -> Figures:
    return Figures(
        entered=known.get("entered", 0),
        here_now=sum(known.get(state, 0) for state in UNFINISHED),
        waiting=known.get("waiting", 0),
        completed=known.get("completed", 0),
        exited=known.get("exited", 0),
        failed=known.get("failed", 0),
    )


def _step(steps: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return steps.setdefault(key, {"entered": 0, "here_now": 0, "waiting": 0})


def _add_here(step: dict[str, Any], state: str, amount: int) -> None:
    step["here_now"] += amount
    if state == "waiting":
        step["waiting"] += amount


def _put_variant(variants: dict[str, dict[str, Any]], name: str, step: str, metric: str, amount: int) -> None:
    experiment, _, variant = name.partition(SEP)
    known = variants.setdefault(experiment, {}).setdefault(
        variant, {"entered": 0, "here_now": 0, "completed": 0, "exited": {}, "failed": 0, "steps": {}}
    )
    _put(known["steps"].setdefault(step, {}) if step else known, metric, amount)


def _still_here(variant: Mapping[str, Any]) -> int:
    came = variant["entered"] + variant.get("moved_in", 0) - variant.get("moved_out", 0)
    return int(came - variant["completed"] - sum(variant["exited"].values()) - variant["failed"])


def _add(numbers: dict[str, Any], metric: str, amount: int) -> None:
    """As `_put`, of several steps together."""
    name, colon, detail = metric.partition(":")
    if colon:
        reasons = numbers.setdefault(name, {})
        reasons[detail] = reasons.get(detail, 0) + amount
    else:
        numbers[name] = numbers.get(name, 0) + amount


def _put(numbers: dict[str, Any], metric: str, amount: int) -> None:
    """`exited:goal_achieved` becomes {"exited": {"goal_achieved": amount}}."""
    name, colon, detail = metric.partition(":")
    if colon:
        numbers.setdefault(name, {})[detail] = amount
    else:
        numbers[name] = amount
