"""The facts counted again: compared with what was counted, and put in its place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from analytics.counting.counted import NO_DAY
from analytics.counting.counters import DAILY, IS_OF_A_DAY, MONTH, OF_A_DAY
from analytics.counting.recount import RECOUNT, words


@dataclass(frozen=True)
class Difference:
    """A counter that says `counted` where the facts say `facts`."""

    workflow_id: int  # 0: messages that no workflow wanted
    workflow: str  # its slug; empty for 0
    version_id: int
    step: str
    metric: str
    facet: str
    day: date
    counted: int
    facts: int
    kept: str = "day"  # "month": the sum of a month, where its days add up to something else; "steps": of all steps

    @property
    def place(self) -> str:
        """All that names it, in words."""
        day = "" if self.day == NO_DAY else f" of {self.day.isoformat()}"
        if self.kept == "month":
            day = f" of the month of {self.day.isoformat()}"
        elif self.kept == "steps":
            day = f"{day} of all steps"
        named = filter(None, (self.workflow or "(no journey)", self.step, self.facet, self.metric))
        return f"{' '.join(named)}{day} in version {self.version_id}"

    @property
    def said(self) -> str:
        return f"{self.place}: counted {self.counted}, the facts say {self.facts}"


@dataclass(frozen=True)
class Comparison:
    """The sums of all counters and of all facts, and where they differ."""

    counted: int
    facts: int
    differences: tuple[Difference, ...]


# A sum of a month or of all steps is named where it is neither what the facts say nor what the counters say: the
# counters are named themselves.
_COMPARE = f"""
    WITH {RECOUNT},
    sides AS (
        SELECT workflow_id, version_id, step, metric, facet, day, amount AS counted, 0 AS facts
          FROM {DAILY} AS counted
         WHERE %(workflows)s::bigint[] IS NULL OR workflow_id = ANY(%(workflows)s)
        UNION ALL
        SELECT workflow_id, version_id, step, metric, facet, day, 0, amount FROM recount),
    compared AS MATERIALIZED (
        SELECT workflow_id, version_id, step, metric, facet, day, sum(counted)::bigint AS counted,
               sum(facts)::bigint AS facts
          FROM sides GROUP BY 1, 2, 3, 4, 5, 6),
    unfolded AS (
        SELECT * FROM counter_deltas WHERE %(workflows)s::bigint[] IS NULL OR workflow_id = ANY(%(workflows)s)),
    months AS (
        SELECT workflow_id, version_id, step, metric, facet, month AS day, amount AS kept, 0 AS counted, 0 AS facts
          FROM counter_months WHERE %(workflows)s::bigint[] IS NULL OR workflow_id = ANY(%(workflows)s)
        UNION ALL
        SELECT workflow_id, version_id, step, metric, facet, {MONTH}, amount, 0, 0 FROM unfolded
        UNION ALL
        SELECT workflow_id, version_id, step, metric, facet, {MONTH}, 0, counted, facts FROM compared),
    days AS (
        SELECT workflow_id, version_id, metric, day, amount AS kept, 0 AS counted, 0 AS facts
          FROM counter_days WHERE %(workflows)s::bigint[] IS NULL OR workflow_id = ANY(%(workflows)s)
        UNION ALL
        SELECT workflow_id, version_id, {OF_A_DAY}, day, amount, 0, 0 FROM unfolded WHERE {IS_OF_A_DAY}
        UNION ALL
        SELECT workflow_id, version_id, {OF_A_DAY}, day, 0, counted, facts FROM compared WHERE {IS_OF_A_DAY}),
    wrong AS (
        SELECT workflow_id, version_id, step, metric, facet, day, counted, facts, 'day' AS kept
          FROM compared WHERE counted <> facts
        UNION ALL
        SELECT workflow_id, version_id, step, metric, facet, day, sum(kept)::bigint, sum(facts)::bigint, 'month'
          FROM months GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(kept) NOT IN (sum(facts), sum(counted))
        UNION ALL
        SELECT workflow_id, version_id, '', metric, '', day, sum(kept)::bigint, sum(facts)::bigint, 'steps'
          FROM days GROUP BY 1, 2, 4, 6 HAVING sum(kept) NOT IN (sum(facts), sum(counted))),
    sums AS (SELECT COALESCE(sum(counted), 0)::bigint AS counted, COALESCE(sum(facts), 0)::bigint AS facts
               FROM compared)
    SELECT sums.counted, sums.facts, c.workflow_id, COALESCE(w.slug, ''), c.version_id, c.step, c.metric,
           c.facet, c.day, c.counted, c.facts, c.kept
      FROM sums LEFT JOIN wrong c ON true LEFT JOIN workflows w ON w.id = c.workflow_id
     ORDER BY w.slug, c.version_id, c.step, c.facet, c.metric, c.day, c.kept
"""


def compare(workflow_ids: Collection[int] | None = None) -> Comparison:
    """Count these workflows again (0: messages of none), or all, and compare: in one statement, so work that goes on
    meanwhile is in both sides or in neither. It reads all their facts: minutes, where there are hundreds of millions
    of them."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, words(workflow_ids))
        rows = cursor.fetchall()
    differences = tuple(Difference(*row[2:]) for row in rows if row[2] is not None)
    return Comparison(counted=rows[0][0], facts=rows[0][1], differences=differences)


def replace() -> Comparison:
    """Put the recount in the place of all counters, their months and days, and deltas; returns what it found before.
    Nobody folds meanwhile; work goes on, and deltas that are committed after the recount began stay for the next
    fold."""
    with transaction.atomic(), connection.cursor() as cursor:
        # the lock first, in a statement of its own: the recount must not see the counters of before a fold and the
        # deltas of after it
        cursor.execute("LOCK TABLE counters IN SHARE ROW EXCLUSIVE MODE")
        found = compare()
        cursor.execute("DELETE FROM counter_checks")  # what they found is no more
        cursor.execute(
            f"""
            WITH {RECOUNT},
            facts AS MATERIALIZED (
                SELECT workflow_id, version_id, step, metric, facet, day, sum(amount)::bigint AS amount
                  FROM recount GROUP BY 1, 2, 3, 4, 5, 6),
            folded AS (DELETE FROM counter_deltas),
            stale AS (
                DELETE FROM counters c WHERE NOT EXISTS (
                    SELECT FROM facts f WHERE f.workflow_id = c.workflow_id AND f.version_id = c.version_id
                       AND f.step = c.step AND f.metric = c.metric AND f.facet = c.facet AND f.day = c.day)),
            of_months AS MATERIALIZED (
                SELECT workflow_id, version_id, step, metric, facet, {MONTH} AS month, sum(amount)::bigint AS amount
                  FROM facts GROUP BY 1, 2, 3, 4, 5, 6),
            stale_months AS (
                DELETE FROM counter_months c WHERE NOT EXISTS (
                    SELECT FROM of_months f WHERE f.workflow_id = c.workflow_id AND f.version_id = c.version_id
                       AND f.step = c.step AND f.metric = c.metric AND f.facet = c.facet AND f.month = c.month)),
            months AS (
                INSERT INTO counter_months (workflow_id, version_id, step, metric, facet, month, amount)
                SELECT workflow_id, version_id, step, metric, facet, month, amount FROM of_months
                ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_facet_and_month
                DO UPDATE SET amount = EXCLUDED.amount),
            of_days AS MATERIALIZED (
                SELECT workflow_id, day, version_id, {OF_A_DAY} AS metric, sum(amount)::bigint AS amount
                  FROM facts WHERE {IS_OF_A_DAY} GROUP BY 1, 2, 3, 4),
            stale_days AS (
                DELETE FROM counter_days c WHERE NOT EXISTS (
                    SELECT FROM of_days f WHERE f.workflow_id = c.workflow_id AND f.day = c.day
                       AND f.version_id = c.version_id AND f.metric = c.metric)),
            days AS (
                INSERT INTO counter_days (workflow_id, day, version_id, metric, amount)
                SELECT workflow_id, day, version_id, metric, amount FROM of_days
                ON CONFLICT ON CONSTRAINT one_counter_per_workflow_day_and_metric
                DO UPDATE SET amount = EXCLUDED.amount)
            INSERT INTO counters (workflow_id, version_id, step, metric, facet, day, amount)
            SELECT workflow_id, version_id, step, metric, facet, day, amount FROM facts
            ON CONFLICT ON CONSTRAINT one_counter_per_step_metric_facet_and_day DO UPDATE SET amount = EXCLUDED.amount
            """,
            words(),
        )
    return found
