"""What an experiment's verdict is made from: contacts, conversions, struck guardrails and pairs, all counted over the
same rows: those assigned before the first whose window is still open. Later ones that are settled already wait for
their neighbours, so that what was counted once is counted the same ever after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from analytics.experiments.register import Variants
from analytics.experiments.verdicts import Paired, Split
from analytics.models import Experiment

SLICES = 40  # of the time from the first assignment to the last: the points of a chart
FIRST = 50  # conversions in pairs, after which the rate to expect is taken from them

_EXTENT = """
    SELECT COALESCE(min(assigned_at) FILTER (WHERE NOT settled), 'infinity')::text, min(assigned_at), max(assigned_at)
      FROM experiment_outcomes WHERE experiment_id = %s
"""
_CELLS = """
    SELECT o.variant,
           LEAST(%(slices)s, width_bucket(extract(epoch FROM o.assigned_at)::float8, %(first)s, %(last)s, %(slices)s)),
           o.harmed, count(*), count(o.converted_at)
      FROM experiment_outcomes o
     WHERE o.experiment_id = %(id)s AND o.settled AND o.assigned_at < %(until)s::timestamptz
     GROUP BY 1, 2, 3 ORDER BY 2
"""
_ASSIGNED = """
    SELECT version_id, variant, count(*) FROM experiment_assignments WHERE experiment = %s GROUP BY 1, 2
"""
_WEIGHTS = """
    SELECT v.id, variant.value ->> 'key', (variant.value ->> 'weight')::float8
      FROM workflow_versions v
     CROSS JOIN LATERAL jsonb_each(v.definition -> 'steps') AS s
     CROSS JOIN LATERAL jsonb_array_elements(s.value -> 'config' -> 'variants') AS variant(value)
     WHERE v.id = ANY(%s) AND s.value ->> 'type' = 'experiment' AND s.value -> 'config' ->> 'experiment' = %s
"""
# Within a version, so that the weights are the same: of the variant with the larger weight only every so many are
# taken, and the i-th of these and the i-th of the other make a pair. So both were assigned at about the same time, and
# what changes with time (a week-end, a sale) changes for both.
_PAIRS = """
    WITH numbered AS (
        SELECT o.version_id, o.variant, o.contact_id, o.assigned_at, o.converted_at IS NOT NULL AS converted,
               row_number() OVER (PARTITION BY o.version_id, o.variant ORDER BY o.assigned_at, o.contact_id) AS number
          FROM experiment_outcomes o
         WHERE o.experiment_id = %(id)s AND o.settled AND o.assigned_at < %(until)s::timestamptz),
    taken AS (
        SELECT asked.challenger, asked.is_base, n.*, floor(n.number * asked.share)::bigint AS place
          FROM unnest(%(challengers)s::text[], %(versions)s::bigint[], %(variants)s::text[], %(bases)s::boolean[],
                      %(shares)s::float8[]) AS asked(challenger, version_id, variant, is_base, share)
          JOIN numbered n USING (version_id, variant)
         WHERE floor(n.number * asked.share) > floor((n.number - 1) * asked.share)),
    pairs AS (
        SELECT challenger, version_id, place, mine.converted AS mine, theirs.converted AS theirs,
               GREATEST(mine.assigned_at, theirs.assigned_at) AS made_at
          FROM (SELECT * FROM taken WHERE is_base) mine
          JOIN (SELECT * FROM taken WHERE NOT is_base) theirs USING (challenger, version_id, place)),
    ordered AS (
        SELECT challenger, mine, theirs, row_number() OVER in_order AS number,
               sum(mine::int + theirs::int) OVER in_order AS conversions
          FROM pairs WINDOW in_order AS (PARTITION BY challenger ORDER BY made_at, version_id, place))
    SELECT challenger, count(*),
           COALESCE(string_agg(theirs::int::text, '' ORDER BY number) FILTER (WHERE mine <> theirs), ''),
           min(number) FILTER (WHERE conversions >= %(first)s)
      FROM ordered GROUP BY 1
"""


@dataclass(frozen=True)
class Cell:
    """Of a variant and a slice of time: `harmed` is the sum of bits of the guardrails that these contacts struck."""

    variant: str
    slice: int  # 1 to SLICES
    harmed: int
    contacts: int
    converted: int


@dataclass(frozen=True)
class Tallies:
    """`first` and `last`: when the first and the last contact was assigned; None without any."""

    first: datetime | None
    last: datetime | None
    cells: Sequence[Cell]
    assigned: Mapping[str, int]
    splits: Sequence[Split]
    paired: Mapping[str, Paired]


def read(experiment: Experiment, variants: Variants) -> Tallies:
    """Five statements."""
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGNED, [experiment.slug])
        assigned: dict[int, dict[str, int]] = {}
        for version_id, variant, count in cursor.fetchall():
            assigned.setdefault(version_id, {})[variant] = count
        cursor.execute(_WEIGHTS, [list(assigned), experiment.slug])
        weights: dict[int, dict[str, float]] = {}
        for version_id, variant, weight in cursor.fetchall():
            weights.setdefault(version_id, {})[variant] = weight
        splits = {each: Split(counts, weights.get(each, variants.weights)) for each, counts in assigned.items()}
        cursor.execute(_EXTENT, [experiment.pk])
        until, first, last = cursor.fetchone()
        cells: list[Cell] = []
        paired: dict[str, Paired] = {}
        if first is not None:
            begin = first.timestamp()
            given = {"id": experiment.pk, "until": until, "slices": SLICES, "first": begin}
            cursor.execute(_CELLS, {**given, "last": max(last.timestamp(), begin + 0.001)})
            cells = [Cell(*row) for row in cursor.fetchall()]
            cursor.execute(_PAIRS, {"id": experiment.pk, "until": until, "first": FIRST, **_asked(splits, variants)})
            paired = {name: _paired(count, untied, at) for name, count, untied, at in cursor.fetchall()}
    totals: dict[str, int] = {}
    for split in splits.values():
        for variant, count in split.counts.items():
            totals[variant] = totals.get(variant, 0) + count
    return Tallies(first, last, cells, totals, tuple(splits.values()), paired)


def _asked(splits: Mapping[int, Split], variants: Variants) -> dict[str, list[Any]]:
    """Of every version and challenger, which share of the contacts of either side takes part in pairs."""
    rows: list[tuple[str, int, str, bool, float]] = []
    for version_id, split in splits.items():
        mine = split.weights.get(variants.base, 0.0)
        for variant, theirs in split.weights.items():
            if variant != variants.base and mine > 0 and theirs > 0:
                fewer = min(mine, theirs)
                rows += [
                    (variant, version_id, variants.base, True, fewer / mine),
                    (variant, version_id, variant, False, fewer / theirs),
                ]
    columns = ("challengers", "versions", "variants", "bases", "shares")
    return {name: [row[place] for row in rows] for place, name in enumerate(columns)}


def _paired(count: int, untied: str, at: int | None) -> Paired:
    won = [each == "1" for each in untied]
    return Paired(won, count - len(won), None if at is None else FIRST / (2 * at))
