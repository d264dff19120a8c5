"""Charts of a report as shapes: bars and ranges from zero, and tables of shades. Pure; the template draws them, and the
report's own table stands behind each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.reports.report import DAYS, HOURS, WORDS, Bars, Column, Heat, Ranges, Report
from delivery.pages.charts import ceiling, short

WIDTH = 100.0
MOST_ROWS = 20
SHADES = 8
TONES = ("info", "good", "warn", "sky", "bad")

Shown = Callable[[Column, Any], str]


@dataclass(frozen=True)
class Bar:
    """`begin` and `width` in hundredths of the scale."""

    name: str
    tone: str
    begin: float
    width: float
    said: str


@dataclass(frozen=True)
class BarRow:
    """`said`: the numbers in words."""

    label: str
    bars: Sequence[Bar]
    said: str


@dataclass(frozen=True)
class RangeRow:
    """Places on the scale in hundredths; `value` is the middle, `said` has all the numbers in words."""

    label: str
    value: str
    said: str
    low: float
    middle: float
    high: float
    far: float

    @property
    def box(self) -> float:
        return round(self.high - self.low, 2)


@dataclass(frozen=True)
class Cell:
    """`shade`: 0 (nothing) to SHADES."""

    text: str
    shade: int
    said: str


@dataclass(frozen=True)
class HeatRow:
    label: str
    size: str
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Drawn:
    """`form`: bars · stacks · ranges · heat. `ticks`: zero, the middle and the end of the scale. `more`: rows that
    only the table has. `heads`: of the columns of a heat table."""

    form: str
    title: str
    rows: Sequence[Any]
    legend: Sequence[tuple[str, str]] = ()
    ticks: Sequence[str] = ()
    heads: Sequence[str] = ()
    more: int = 0

    @property
    def is_empty(self) -> bool:
        """There is nothing to see: no row, or no bar that is longer than nothing."""
        if self.form in ("bars", "stacks"):
            return not any(bar.width for row in self.rows for bar in row.bars)
        return not self.rows


def draw(report: Report, chart: Bars | Ranges | Heat, rows: Sequence[tuple[Any, ...]], shown: Shown) -> Drawn:
    """`rows` as the report reads them."""
    if isinstance(chart, Bars):
        return _bars(report, chart, rows, shown)
    if isinstance(chart, Ranges):
        return _ranges(report, chart, rows, shown)
    return _heat(report, chart, rows, shown)


def _bars(report: Report, chart: Bars, rows: Sequence[tuple[Any, ...]], shown: Shown) -> Drawn:
    series = [report.column(key) for key in chart.series]
    at = [_place(report, key) for key in chart.series]
    name = _namer(report, chart.label, rows, shown)
    tall = [sum(float(row[place] or 0) for place in at) for row in rows] if chart.stacked else []
    top = _top(series[0], tall or [row[place] for row in rows for place in at])
    drawn = []
    for row in rows[:MOST_ROWS]:
        bars: list[Bar] = []
        level = 0.0
        for tone, column, place in zip(TONES, series, at, strict=False):
            width = _width(row[place], top)
            bars.append(Bar(column.label, tone, level, width, shown(column, row[place])))
            level = round(level + width, 2) if chart.stacked else 0.0
        said = ", ".join(f"{bar.name} {bar.said}" for bar in bars)
        drawn.append(BarRow(name(row), bars, said))
    legend = [(column.label, tone) for column, tone in zip(series, TONES, strict=False)]
    form = "stacks" if chart.stacked else "bars"
    return Drawn(form, chart.title, drawn, legend, _ticks(series[0], top), more=max(0, len(rows) - MOST_ROWS))


def _ranges(report: Report, chart: Ranges, rows: Sequence[tuple[Any, ...]], shown: Shown) -> Drawn:
    keys = (chart.low, chart.middle, chart.high, chart.far)
    columns = [report.column(key) for key in keys]
    at = [_place(report, key) for key in keys]
    known = [row for row in rows if row[at[1]] is not None]
    name = _namer(report, chart.label, known, shown)
    top = _top(columns[0], [row[place] for row in known for place in at])
    drawn = [
        RangeRow(
            name(row),
            shown(columns[1], row[at[1]]),
            ", ".join(f"{column.label} {shown(column, row[place])}" for column, place in zip(columns, at, strict=True)),
            *(_width(row[place], top) for place in at),
        )
        for row in known[:MOST_ROWS]
    ]
    return Drawn("ranges", chart.title, drawn, (), _ticks(columns[0], top), more=max(0, len(known) - MOST_ROWS))


def _heat(report: Report, chart: Heat, rows: Sequence[tuple[Any, ...]], shown: Shown) -> Drawn:
    row_at, column_at, value_at, size_at = (
        _place(report, key) for key in (chart.row, chart.column, chart.value, chart.size)
    )
    value = report.column(chart.value)
    heads = sorted({row[column_at] for row in rows})
    named = [shown(report.column(chart.column), head) for head in heads]
    # the first column is those who have just come: nearly all of them did something, which would pale the rest
    top = max((float(row[value_at] or 0) for row in rows if row[column_at] != heads[0]), default=0.0) or 1.0
    cells: dict[Any, dict[Any, Cell]] = {}
    sizes: dict[Any, Any] = {}
    for row in rows:
        text = shown(value, row[value_at])
        share = float(row[value_at] or 0) / top
        shade = 0 if share <= 0 else min(SHADES, 1 + int(share * SHADES * 0.999))
        label = shown(report.column(chart.row), row[row_at])
        said = f"{label}, {report.column(chart.column).label} {row[column_at]}: {text}"
        cells.setdefault(row[row_at], {})[row[column_at]] = Cell(text, shade, said)
        sizes.setdefault(row[row_at], row[size_at])
    drawn = [
        HeatRow(
            shown(report.column(chart.row), key),
            shown(report.column(chart.size), sizes[key]),
            [cells[key].get(head) for head in heads],
        )
        for key in sorted(cells, reverse=True)
    ]
    return Drawn("heat", chart.title, drawn, heads=named)


def _namer(
    report: Report, keys: Sequence[str], rows: Sequence[tuple[Any, ...]], shown: Shown
) -> Callable[[tuple[Any, ...]], str]:
    """What a row is called. Of several names those that are the same everywhere, and words, are left out."""
    named = [(report.column(key), _place(report, key)) for key in keys]
    telling = [
        (column, place)
        for column, place in named
        if not (column.kind in WORDS and len({row[place] for row in rows}) == 1)
    ]
    return lambda row: " · ".join(shown(column, row[place]) for column, place in telling or named[:1])


def _place(report: Report, key: str) -> int:
    return [each.key for each in report.columns].index(key)


def _top(column: Column, values: Sequence[Any]) -> float:
    """The end of the scale. Shares end at a whole tenth; nothing ends above 100%."""
    most = max((float(value) for value in values if value is not None), default=0.0)
    if column.kind == "share":
        return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if step >= most), max(1.0, most))
    return ceiling(most)


def _ticks(column: Column, top: float) -> list[str]:
    if column.kind == "share":
        return ["0%", f"{50 * top:g}%", f"{100 * top:g}%"]
    unit = {DAYS: " days", HOURS: " hours"}.get(column.kind, "")
    return ["0", short(top / 2), f"{short(top)}{unit}"]


def _width(value: Any, top: float) -> float:
    return round(WIDTH * max(0.0, float(value or 0)) / top, 2)
