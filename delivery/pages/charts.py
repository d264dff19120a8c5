"""Charts as shapes for SVG: bars in colours upon each other, and lines, by day. Pure; the table behind each says the
numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

HEIGHT = 100.0
LABELS = 7  # days that are named below a chart, at most


@dataclass(frozen=True)
class Series:
    """`tone` names a colour: `dl-fill-<tone>` and `dl-line-<tone>`."""

    name: str
    tone: str
    amounts: Sequence[float]

    @property
    def total(self) -> float:
        return sum(self.amounts)


@dataclass(frozen=True)
class Part:
    """One colour of a bar, measured from above as SVG does."""

    tone: str
    top: float
    height: float


@dataclass(frozen=True)
class Day:
    """`label` is empty where there is no room for one. `cells`: the numbers behind it, in the order of the series."""

    day: date
    label: str
    said: str
    parts: Sequence[Part]
    cells: Sequence[float]


@dataclass(frozen=True)
class Line:
    name: str
    tone: str
    points: str


@dataclass(frozen=True)
class Chart:
    """`ticks`: what the lines across it mean, from above. `width` is one unit a day."""

    days: Sequence[Day]
    series: Sequence[Series]
    lines: Sequence[Line]
    ticks: Sequence[str]

    @property
    def width(self) -> int:
        return len(self.days)

    @property
    def is_empty(self) -> bool:
        return not any(each.total for each in self.series)


def bars(days: Sequence[date], series: Sequence[Series]) -> Chart:
    """Every day a bar, the first series at the bottom."""
    top = ceiling(max((sum(each.amounts[n] for each in series) for n in range(len(days))), default=0))
    return _chart(
        days, series, top, [_stacked([(s.tone, s.amounts[n]) for s in series], top) for n in range(len(days))]
    )


def lines(days: Sequence[date], series: Sequence[Series], *, labels: int = LABELS) -> Chart:
    """Every series a line from the middle of one day to the middle of the next; a day alone, which has no next, is
    crossed by it. `labels`: days named, at most."""
    top = ceiling(max((amount for each in series for amount in each.amounts), default=0))
    drawn = [Line(each.name, each.tone, _points(each.amounts, top)) for each in series]
    return _chart(days, series, top, [[] for _ in days], drawn, labels=labels)


def _chart(
    days: Sequence[date],
    series: Sequence[Series],
    top: float,
    parts: Sequence[Sequence[Part]],
    drawn: Sequence[Line] = (),
    *,
    labels: int = LABELS,
) -> Chart:
    step = max(1, -(-len(days) // labels))
    shown = [
        Day(
            day=day,
            label=f"{day:%-d %b}" if (len(days) - 1 - n) % step == 0 else "",
            said=f"{day:%-d %b}: " + ", ".join(f"{each.name} {each.amounts[n]:,.0f}" for each in series),
            parts=parts[n],
            cells=[each.amounts[n] for each in series],
        )
        for n, day in enumerate(days)
    ]
    return Chart(shown, series, drawn, [short(top), short(top / 2), "0"])


def _stacked(amounts: Sequence[tuple[str, float]], top: float) -> list[Part]:
    parts: list[Part] = []
    level = HEIGHT
    for tone, amount in amounts:
        if amount > 0:
            height = round(HEIGHT * amount / top, 2)
            level = max(0.0, round(level - height, 2))
            parts.append(Part(tone, level, height))
    return parts


def _points(amounts: Sequence[float], top: float) -> str:
    spots = [(0, amounts[0]), (1, amounts[0])] if len(amounts) == 1 else [(n + 0.5, y) for n, y in enumerate(amounts)]
    return " ".join(f"{x},{_y(amount, top)}" for x, amount in spots)


def _y(amount: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * max(0.0, amount) / top, 2)


def ceiling(most: float) -> float:
    """The end of the scale: a short number whose half is a whole one."""
    size = 1.0
    while True:
        for factor in (2, 4, 6, 8, 10) if size == 1 else (1.2, 1.6, 2, 3, 4, 6, 8, 10):
            if size * factor >= most:
                return size * factor
        size *= 10


def short(number: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g} {sign}"
    return f"{number:g}"


def by_day(days: Sequence[date], counted: Mapping[date, float]) -> list[float]:
    return [counted.get(day, 0) for day in days]
