"""The two charts of an experiment, as shapes for SVG. Pure; the tables behind them say the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from analytics.experiments.paths import Point
from analytics.experiments.results import Moment

WIDTH = 1000.0
HEIGHT = 100.0
SHORT = timedelta(days=3)  # a stretch of time that is named by the hour
VERY_SHORT = timedelta(minutes=10)
TONES = 7
Row = TypeVar("Row")
FULLEST = 24  # rows of a table behind a chart: more are thinned out


@dataclass(frozen=True)
class Curve:
    """`band` is a polygon around the line, empty where there is none."""

    name: str
    tone: int
    line: str
    band: str


@dataclass(frozen=True)
class RateRow:
    at: datetime
    cells: Sequence[str]


@dataclass(frozen=True)
class Rates:
    """Conversion rates over time. `ticks` from above; `dates`: the ends."""

    curves: Sequence[Curve]
    ticks: Sequence[str]
    dates: Sequence[str]
    names: Sequence[str]
    rows: Sequence[RateRow]
    width: float = WIDTH


@dataclass(frozen=True)
class PathRow:
    pairs: int
    lead: int
    better: str
    worse: str
    alike: str


@dataclass(frozen=True)
class Way:
    """The lead of a challenger against the boundaries; `zero` is the height of no lead."""

    variant: str
    tone: int
    lead: str
    end: tuple[float, float] | None
    better: str
    worse: str
    alike: str
    zero: float
    ticks: Sequence[str]
    labels: Sequence[str]
    rows: Sequence[PathRow]
    width: float = WIDTH


def tones(names: Sequence[str], base: str) -> dict[str, int]:
    """A colour for each variant: 0 for the base, the others in their order."""
    others = [name for name in names if name != base]
    return {base: 0, **{name: 1 + place % (TONES - 1) for place, name in enumerate(others)}}


def rates(history: Sequence[Moment], tone_of: Mapping[str, int]) -> Rates | None:
    """None before anything counts."""
    if not history:
        return None
    last, first = history[-1], history[0]
    names = [name for name in tone_of if name in last.arms]
    stretch = last.at - first.at
    top = _top([*(interval.high for interval in last.within.values()), *_rates_of_the_later_half(history)])

    def x(at: datetime) -> float:
        return round(WIDTH * ((at - first.at) / stretch if stretch else 1.0), 1)

    def y(rate: float) -> float:
        return round(HEIGHT - HEIGHT * min(1.0, rate / top), 2)

    curves = []
    for name in names:
        known = [moment for moment in history if name in moment.arms]
        line = " ".join(f"{x(each.at)},{y(each.arms[name].rate)}" for each in known)
        above = [f"{x(each.at)},{y(each.within[name].high)}" for each in known]
        below = [f"{x(each.at)},{y(each.within[name].low)}" for each in reversed(known)]
        curves.append(Curve(name, tone_of[name], line, " ".join([*above, *below])))
    rows = [
        RateRow(moment.at, [_rate_cell(moment, name) for name in names]) for moment in _thinned(list(reversed(history)))
    ]
    ticks = (percent(top), percent(top / 2), "0%")
    return Rates(curves, ticks, (instant(first.at, stretch), instant(last.at, stretch)), names, rows)


def way(variant: str, points: Sequence[Point], *, tone: int) -> Way:
    """Drawn as far as the plan expects to go."""
    longest = points[-1].pairs
    reach = [abs(value) for point in points for value in (point.lead, point.better, point.worse) if value is not None]
    top = _ceiling(max([*reach, 1.0]))

    def place(pairs: int, lead: float) -> str:
        x, y = _spot(pairs, lead, longest, top)
        return f"{x},{y}"

    def line(name: str) -> str:
        known = [(point.pairs, getattr(point, name)) for point in points if getattr(point, name) is not None]
        return " ".join(place(pairs, lead) for pairs, lead in known)

    alike = [point for point in points if point.alike_low is not None and point.alike_high is not None]
    polygon = [
        *(place(point.pairs, point.alike_high or 0.0) for point in alike),
        *(place(point.pairs, point.alike_low or 0.0) for point in reversed(alike)),
    ]
    walked = [point for point in points if point.lead is not None]
    return Way(
        variant=variant,
        tone=tone,
        lead=line("lead"),
        end=_spot(walked[-1].pairs, walked[-1].lead or 0, longest, top) if walked else None,
        better=line("better"),
        worse=line("worse"),
        alike=" ".join(polygon) if len(alike) > 1 else "",
        zero=HEIGHT / 2,
        ticks=(f"+{top:,.0f}", "0", f"−{top:,.0f}"),
        labels=("0", f"{longest // 2:,}", f"{longest:,}"),
        rows=[_path_row(point) for point in _thinned(list(reversed(walked)))],
    )


def percent(share: float) -> str:
    """What somebody chose: no more decimals than it needs."""
    return measured(share).replace(".00%", "%").replace(".0%", "%")


def measured(share: float) -> str:
    """With as many decimals as it needs to be told from its neighbours, so that these stand below each other."""
    shown = share * 100
    decimals = 1 if abs(shown) >= 1 or not shown else 2
    return f"{shown:.{decimals}f}%".replace("-", "−")


def instant(at: datetime, stretch: timedelta) -> str:
    if stretch < VERY_SHORT:
        return f"{at:%-d %b, %H:%M:%S}"
    return f"{at:%-d %b, %H:%M}" if stretch < SHORT else f"{at:%-d %b %Y}"


def _spot(pairs: int, lead: float, longest: int, top: float) -> tuple[float, float]:
    y = HEIGHT / 2 - HEIGHT / 2 * max(-1.0, min(1.0, lead / top))
    return round(WIDTH * pairs / longest, 1), round(y, 2)


def _rates_of_the_later_half(history: Sequence[Moment]) -> list[float]:
    return [arm.rate for moment in history[len(history) // 2 :] for arm in moment.arms.values()]


def _rate_cell(moment: Moment, name: str) -> str:
    if name not in moment.arms:
        return "–"
    arm, within = moment.arms[name], moment.within[name]
    return f"{measured(arm.rate)} ({measured(within.low)} to {measured(within.high)}) of {arm.contacts:,}"


def _path_row(point: Point) -> PathRow:
    def told(value: float | None) -> str:
        return "–" if value is None else f"{value:+,.0f}".replace("-", "−")

    alike = "–" if point.alike_low is None else f"{told(point.alike_low)} to {told(point.alike_high)}"
    return PathRow(point.pairs, point.lead or 0, told(point.better), told(point.worse), alike)


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """The first of them, and every so many."""
    return list(rows[:: max(1, math.ceil(len(rows) / FULLEST))])


def _top(values: Sequence[float]) -> float:
    return min(1.0, _ceiling(max([*values, 0.001]) * 1.1))


def _ceiling(most: float) -> float:
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * factor for factor in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 20) if size * factor >= most)
