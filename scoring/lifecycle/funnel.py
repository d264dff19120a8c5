"""The funnel: how many are in each stage, how many of those who came into it went on, and how long they stayed.

A constant number of statements, and each is asked for so long and no longer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from contacts.patience import row_within
from scoring.models.lifecycle import STAGES

PATIENCE_MS = 4000
ONE_OF = 64  # contacts that are looked at where everybody takes too long
LEAVERS = "churned"  # where nobody goes on from, and which is no way on
WAYS = ("rule", "workflow", "api", "admin", "import", "merge")
ONCE_SCORE = "score"  # what moves by a score called themselves before there were rules

_NOW = "SELECT jsonb_object_agg(stage, n)::text FROM (SELECT stage, count(*) AS n FROM lifecycle_current GROUP BY 1) s"

# Every visit of a stage that began in the period, with the move that ended it, and whether the contact came farther at
# any time since. People are counted once for each stage, visits each for itself.
_VISITS = """
WITH entered AS MATERIALIZED (
    SELECT id, contact_id, to_stage, occurred_at FROM lifecycle_events
     WHERE occurred_at >= %s AND occurred_at < %s
       AND (%s::text[] IS NULL OR split_part(source, ':', 1) = ANY(%s::text[]))
       AND (%s = 1 OR hashint8(contact_id)::bigint & 2147483647 < 2147483648 / %s)),
visits AS (
    SELECT e.contact_id, e.to_stage, since.left_at - e.occurred_at AS stayed, since.went_on
      FROM entered e CROSS JOIN LATERAL (
           SELECT (array_agg(l.occurred_at ORDER BY l.id))[1] AS left_at,
                  bool_or(array_position(%s::text[], l.to_stage) > array_position(%s::text[], e.to_stage)) AS went_on
             FROM lifecycle_events l WHERE l.contact_id = e.contact_id AND l.id > e.id) AS since)
SELECT COALESCE(jsonb_agg(to_jsonb(s)), '[]')::text FROM (
    SELECT to_stage AS stage, count(DISTINCT contact_id) AS came,
           count(DISTINCT contact_id) FILTER (WHERE went_on) AS went_on, count(stayed) AS ended,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM stayed)::float8)
               FILTER (WHERE stayed IS NOT NULL) AS stays
      FROM visits GROUP BY to_stage) AS s
"""


@dataclass(frozen=True)
class StageFigures:
    """`now`: contacts that are in the stage. Of the period: `came` into it, people; `went_on` to a farther one at any
    time since (churned is none); `median` and `p90`: how long visits lasted that have ended, None where none has."""

    stage: str
    now: int
    came: int
    went_on: int
    ended: int
    median: timedelta | None
    p90: timedelta | None

    @property
    def conversion(self) -> float | None:
        """The share that went on; None where nobody came, and where there is no way on."""
        farther = self.stage not in (LEAVERS, STAGES[STAGES.index(LEAVERS) - 1])
        return self.went_on / self.came if self.came and farther else None


@dataclass(frozen=True)
class Funnel:
    """`stages` in their order. `estimated`: everybody took too long, so what they did is told from one of ONE_OF of
    them. `complete` is false where even that did; then what is not known is 0."""

    stages: tuple[StageFigures, ...]
    complete: bool
    estimated: bool


def read(*, since: datetime, until: datetime, way: str = "") -> Funnel:
    """The funnel of those who came into a stage from `since` to before `until`, in the caller's transaction; `way`:
    only those who came by it (one of WAYS). Two statements, and a third where everybody takes too long, each within
    PATIENCE_MS."""
    current = row_within(PATIENCE_MS, _NOW, [])
    ways = None if not way else [way, ONCE_SCORE] if way == "rule" else [way]
    visits, scale = _visits(since, until, ways, 1), 1
    if visits is None:
        visits, scale = _visits(since, until, ways, ONE_OF), ONE_OF
    now = json.loads(current[0] or "{}") if current else {}
    found = {row["stage"]: row for row in visits or []}
    return Funnel(
        tuple(_figures(stage, now.get(stage, 0), found.get(stage, {}), scale) for stage in STAGES),
        complete=current is not None and visits is not None,
        estimated=scale > 1 and visits is not None,
    )


def _visits(since: datetime, until: datetime, ways: list[str] | None, one_of: int) -> list[dict[str, Any]] | None:
    """None where it takes too long."""
    order = [stage for stage in STAGES if stage != LEAVERS]
    row = row_within(PATIENCE_MS, _VISITS, [since, until, ways, ways, one_of, one_of, order, order])
    return None if row is None else json.loads(row[0])


def _figures(stage: str, now: int, row: Mapping[str, Any], scale: int) -> StageFigures:
    median, p90 = (timedelta(seconds=seconds) for seconds in row["stays"]) if row.get("stays") else (None, None)
    came, went_on, ended = (scale * row.get(name, 0) for name in ("came", "went_on", "ended"))
    return StageFigures(stage, now, came, went_on, ended, median=median, p90=p90)
