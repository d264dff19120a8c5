"""What a back-test found, in figures: how often a crossing foretold a conversion, how early, and beside whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import connection

from scoring.models import Backtest

MARKS = 40  # thresholds of a sweep, about
DAY = 86_400
LEADS = (0, 1, 3, 7, 14, 30, 60, 90, 180)  # days from crossing to conversion: where the bars of the histogram begin


@dataclass(frozen=True)
class Rate:
    """`share` = `hits` / `of`, and between which bounds it lies by 95 % (Wilson's); None of none."""

    hits: int
    of: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Foretold:
    """A version at a threshold. `crossed`: who crossed before they converted, or without converting; `foretold`: those
    of them who converted; `late`: who crossed only when they had converted, which foretells nothing and counts as
    missed; `above_at_start`: those of `crossed` who had the points already when the window began. `guessing`: the
    precision of whoever picks just as many at the same moments, blindly, from all who had not converted by then. (The
    share of all who converted is no measure for it: whoever crosses late has little time left to convert.)"""

    threshold: float
    crossed: int
    foretold: int
    late: int
    above_at_start: int
    precision: Rate
    recall: Rate
    f1: float | None
    guessing: float | None


@dataclass(frozen=True)
class Mark:
    """The same at any threshold, of the version that is tried."""

    threshold: float
    crossed: int
    foretold: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Figures:
    """`lead_time`: seconds from crossing to conversion, as quartiles (None: nobody). `leads`: (from day, to day, how
    many), the last without end. `best_threshold`: the mark with the best F1."""

    contacts: int
    base_rate: Rate
    tried: Foretold
    active: Foretold | None
    both: int
    only_tried: int
    only_active: int
    neither: int
    lead_time: tuple[float, float, float] | None
    leads: tuple[tuple[int, int | None, int], ...]
    sweep: tuple[Mark, ...]
    best_threshold: float | None


def of(backtest: Backtest) -> Figures:
    """Everything at once, from the rows of a back-test. Five statements at most."""
    contacts = backtest.contacts_looked_at
    row = _totals(backtest.pk, backtest.since)
    converted = row["converted"]
    level = backtest.judges["active"]["written"]["mql_threshold"] if backtest.judges["active"] else None
    sweep = _sweep(backtest.pk, marks(row["top"] or 0.0, backtest.threshold), converted)
    scored = [mark for mark in sweep if mark.f1 is not None]
    return Figures(
        contacts=contacts,
        base_rate=rate(converted, contacts),
        tried=_foretold(row, "tried", backtest, backtest.threshold),
        active=None if level is None else _foretold(row, "active", backtest, level),
        both=row["both"],
        only_tried=row["tried_crossed"] - row["both"],
        only_active=row["active_crossed"] - row["both"],
        neither=contacts - row["tried_crossed"] - row["active_crossed"] + row["both"],
        lead_time=tuple(row["lead_time"]) if row["lead_time"] else None,
        leads=_leads(backtest.pk),
        sweep=sweep,
        best_threshold=max(scored, key=lambda mark: (mark.f1, mark.threshold)).threshold if scored else None,
    )


def rate(hits: int, of: int) -> Rate:
    """Pure."""
    if not of:
        return Rate(hits, of, None, None, None)
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    around = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Rate(hits, of, share, max(0.0, middle - around), min(1.0, middle + around))


def f1_of(foretold: int, crossed: int, converted: int) -> float | None:
    """The harmonic mean of precision and recall; None where nobody crossed and nobody converted. Pure."""
    return 2 * foretold / (crossed + converted) if crossed + converted else None


def marks(top: float, threshold: float) -> list[float]:
    """Round numbers up to `top`, and the threshold itself. Pure."""
    step = _round_step(max(top, threshold) / MARKS)
    count = math.ceil(round(max(top, threshold) / step, 6))
    return sorted({*(round(step * n, 6) for n in range(1, count + 1)), threshold})


def _round_step(least: float) -> float:
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= least * (1 - 1e-9))


_JUDGED = """
    SELECT *, crossed_at IS NOT NULL AND (converted_at IS NULL OR crossed_at < converted_at) AS tried,
           crossed_at_before IS NOT NULL AND (converted_at IS NULL OR crossed_at_before < converted_at) AS active
      FROM scoring_backtest_contacts WHERE backtest_id = %(backtest)s
"""


def _totals(backtest_id: int, since: datetime) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(converted_at) AS converted,
                   count(*) FILTER (WHERE tried) AS tried_crossed,
                   count(converted_at) FILTER (WHERE tried) AS tried_foretold,
                   count(crossed_at) FILTER (WHERE NOT tried) AS tried_late,
                   count(*) FILTER (WHERE tried AND crossed_at = %(since)s) AS tried_above_at_start,
                   count(*) FILTER (WHERE active) AS active_crossed,
                   count(converted_at) FILTER (WHERE active) AS active_foretold,
                   count(crossed_at_before) FILTER (WHERE NOT active) AS active_late,
                   count(*) FILTER (WHERE active AND crossed_at_before = %(since)s) AS active_above_at_start,
                   count(*) FILTER (WHERE tried AND active) AS both,
                   percentile_cont('{{0.25,0.5,0.75}}'::float8[]) WITHIN GROUP (
                       ORDER BY date_part('epoch', converted_at - crossed_at)) FILTER (WHERE tried) AS lead_time,
                   percentile_cont(0.995) WITHIN GROUP (ORDER BY best) FILTER (WHERE best > 0) AS top
              FROM ({_JUDGED}) judged
            """,
            {"backtest": backtest_id, "since": since},
        )
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


def _foretold(row: dict[str, Any], side: str, backtest: Backtest, threshold: float) -> Foretold:
    crossed, foretold, converted = row[f"{side}_crossed"], row[f"{side}_foretold"], row["converted"]
    return Foretold(
        threshold=threshold,
        crossed=crossed,
        foretold=foretold,
        late=row[f"{side}_late"],
        above_at_start=row[f"{side}_above_at_start"],
        precision=rate(foretold, crossed),
        recall=rate(foretold, converted),
        f1=f1_of(foretold, crossed, converted),
        guessing=_guessing(backtest, side, converted),
    )


_AT = {"tried": "crossed_at", "active": "crossed_at_before"}


def _guessing(backtest: Backtest, side: str, converted: int) -> float | None:
    """At every crossing: of those who had not converted by then, the share that did later. The mean of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT avg((%(converted)s - over)::float8 / NULLIF(%(contacts)s - over, 0))
              FROM (SELECT is_crossing, count(*) FILTER (WHERE NOT is_crossing)
                                          OVER (ORDER BY at, is_crossing) AS over
                      FROM (SELECT converted_at AS at, FALSE AS is_crossing FROM ({_JUDGED}) judged
                             WHERE converted_at IS NOT NULL
                            UNION ALL
                            SELECT {_AT[side]}, TRUE FROM ({_JUDGED}) judged WHERE {side}) moments) counted
             WHERE is_crossing
            """,
            {"backtest": backtest.pk, "converted": converted, "contacts": backtest.contacts_looked_at},
        )
        return cursor.fetchone()[0]


def _leads(backtest_id: int) -> tuple[tuple[int, int | None, int], ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT width_bucket(date_part('epoch', converted_at - crossed_at), %(edges)s::float8[]), count(*)
              FROM ({_JUDGED}) judged WHERE tried AND converted_at IS NOT NULL GROUP BY 1
            """,
            {"backtest": backtest_id, "edges": [day * DAY for day in LEADS]},
        )
        counted = dict(cursor.fetchall())
    ends: Sequence[tuple[int, int | None]] = [*pairwise(LEADS), (LEADS[-1], None)]
    return tuple((start, end, counted.get(place, 0)) for place, (start, end) in enumerate(ends, 1))


def _sweep(backtest_id: int, thresholds: Sequence[float], converted: int) -> tuple[Mark, ...]:
    """Who had ever so many points has crossed every lower threshold."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT width_bucket(best, %s::float8[]), count(*), count(converted_at)
              FROM scoring_backtest_contacts WHERE backtest_id = %s GROUP BY 1
            """,
            [list(thresholds), backtest_id],
        )
        counted = {place: (all, hits) for place, all, hits in cursor.fetchall()}
    crossed = foretold = 0
    sweep = []
    for place in range(len(thresholds), 0, -1):
        all, hits = counted.get(place, (0, 0))
        crossed, foretold = crossed + all, foretold + hits
        sweep.append(
            Mark(
                threshold=thresholds[place - 1],
                crossed=crossed,
                foretold=foretold,
                precision=foretold / crossed if crossed else None,
                recall=foretold / converted if converted else None,
                f1=f1_of(foretold, crossed, converted),
            )
        )
    return tuple(reversed(sweep))
