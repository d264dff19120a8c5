"""How a score went and will go, as shapes for SVG. Pure; the table behind it says the numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH = 1000.0
HEIGHT = 100.0
SHORT = timedelta(days=3)  # a stretch of time that is named by the hour


@dataclass(frozen=True)
class Point:
    at: datetime
    score: float


@dataclass(frozen=True)
class Happening:
    """Something that is marked on the curve, such as a crossing or a change of stage; `kind` is its name in the legend,
    `tone` one of the house's."""

    at: datetime
    words: str
    kind: str
    tone: str


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    tone: str
    said: str


@dataclass(frozen=True)
class Row:
    """A line of the table behind the curve."""

    at: datetime
    score: str
    words: str
    is_ahead: bool


@dataclass(frozen=True)
class Chart:
    """`past` and `ahead` are the points of polylines; `ticks` are the scale from above; `dates` the ends of the curve
    and, between them, the instant where `ahead` begins."""

    past: str
    ahead: str
    threshold: float | None
    now: float
    dots: Sequence[Dot]
    kinds: Sequence[tuple[str, str]]  # (tone, name) of those that are marked
    ticks: Sequence[str]
    dates: Sequence[str]
    rows: Sequence[Row]
    about: str
    width: float = WIDTH


def chart(
    points: Sequence[Point], *, now: datetime, threshold: float | None, happenings: Sequence[Happening] = ()
) -> Chart | None:
    """None where there is nothing to draw. `points` in the order of time; those after `now` are a forecast."""
    if len(points) < 2 or not any(point.score for point in points):
        return None
    first, last = points[0].at, points[-1].at
    scale = _Scale.around([point.score for point in points], threshold)
    length = (last - first).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return round(WIDTH * min(1.0, max(0.0, (at - first).total_seconds() / length)), 1)

    def drawn(chosen: Sequence[Point]) -> str:
        return " ".join(f"{x(point.at)},{scale.y(point.score)}" for point in chosen)

    past = [point for point in points if point.at <= now]
    ahead = [*past[-1:], *(point for point in points if point.at > now)]
    marked = [each for each in happenings if first <= each.at <= last]
    return Chart(
        past=drawn(past),
        ahead=drawn(ahead) if len(ahead) > 1 else "",
        threshold=None if threshold is None else scale.y(threshold),
        now=x(now),
        dots=[
            Dot(
                x(each.at),
                scale.y(_score_at(points, each.at)),
                each.tone,
                f"{_day(each.at, last - first)}: {each.words}",
            )
            for each in marked
        ],
        kinds=sorted({(each.tone, each.kind) for each in marked}),
        ticks=[_short(scale.top), _short((scale.top + scale.bottom) / 2), _short(scale.bottom)],
        dates=[_day(first, last - first), _day(last, last - first)],
        rows=_rows(points, marked, now),
        about=f"The score from {_day(first, last - first)} to {_day(last, last - first)}",
    )


@dataclass(frozen=True)
class _Scale:
    bottom: float
    top: float

    @classmethod
    def around(cls, scores: Sequence[float], threshold: float | None) -> _Scale:
        """Ends that are short numbers, with nothing between them left out."""
        highest, lowest = max([*scores, threshold or 0.0, 0.0]), min([*scores, 0.0])
        return cls(-_ceiling(-lowest) if lowest < 0 else 0.0, _ceiling(highest * 1.05) if highest > 0 else 0.0)

    def y(self, score: float) -> float:
        return round(HEIGHT * (self.top - score) / ((self.top - self.bottom) or 1.0), 2)


def _ceiling(most: float) -> float:
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * factor for factor in (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10, 20) if size * factor >= most)


def _score_at(points: Sequence[Point], at: datetime) -> float:
    """On the drawn line."""
    for before, after in itertools.pairwise(points):
        if before.at <= at <= after.at:
            share = (at - before.at) / ((after.at - before.at) or timedelta(seconds=1))
            return before.score + (after.score - before.score) * share
    return points[-1].score


def _rows(points: Sequence[Point], marked: Sequence[Happening], now: datetime) -> list[Row]:
    """The newest first, one a minute; what happened stands between them."""
    of_minutes = {f"{point.at:%Y%m%d%H%M}": point for point in points}  # the last one of each
    rows = [Row(point.at, number(point.score), "", point.at > now) for point in of_minutes.values()]
    rows += [Row(each.at, "", each.words, each.at > now) for each in marked]
    return sorted(rows, key=lambda row: row.at, reverse=True)


def number(score: float) -> str:
    """As it is shown to people: of at most one decimal."""
    text = f"{score:,.1f}".removesuffix(".0")
    return text.replace("-", "−") if text != "-0" else "0"


def _short(value: float) -> str:
    return f"{value:,.6g}".replace("-", "−")


def _day(at: datetime, stretch: timedelta) -> str:
    return f"{at:%-d %b, %H:%M}" if stretch < SHORT else f"{at:%-d %b}"
