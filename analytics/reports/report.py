"""What a report is: a question, filters, a query over one mart, typed columns and charts. Pure.

A description never changes what is built: it reads documented columns of `marts` (analytics/dbt/models/marts), so
whatever it needs belongs into a mart first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What a value is; it decides how people read it, how it stands in a file, and how a chart is scaled.
TEXT, STAGE, JOURNEY, INTEGER, NUMBER, SHARE, MONEY, DAYS, HOURS, DATE, MONTH = (
    "text", "stage", "journey", "integer", "number", "share", "money", "days", "hours", "date", "month",
)  # fmt: skip
KINDS = (TEXT, STAGE, JOURNEY, INTEGER, NUMBER, SHARE, MONEY, DAYS, HOURS, DATE, MONTH)
WORDS = frozenset({TEXT, STAGE, JOURNEY})
UNITS: Mapping[str, str] = {SHARE: "share of 1", DAYS: "days", HOURS: "hours"}


@dataclass(frozen=True)
class Column:
    """`key`: its name in the query, in files and in the API. `about`: what exactly is counted, in a sentence.
    `nothing`: what a null means, in words."""

    key: str
    label: str
    kind: str = INTEGER
    about: str = ""
    nothing: str = "–"

    @property
    def is_number(self) -> bool:
        return self.kind not in (*WORDS, DATE, MONTH)

    @property
    def unit(self) -> str:
        return UNITS.get(self.kind, "")


@dataclass(frozen=True)
class Choice:
    """One of what is written here; the first is meant where nothing is said. `options`: value -> words."""

    key: str
    label: str
    options: Mapping[str, str]

    @property
    def usual(self) -> str:
        return next(iter(self.options))


@dataclass(frozen=True)
class OneOf:
    """One of the values that `column` of the report's mart has, or all of them (the parameter is null). `kind`: TEXT,
    STAGE or JOURNEY (of which the mart has the slug)."""

    key: str
    label: str
    column: str
    every: str = "All"
    kind: str = TEXT


@dataclass(frozen=True)
class Period:
    """Two days (UTC), both inclusive, each may be missing: the parameters <key>_from and <key>_to."""

    key: str = "period"
    label: str = "Days"


Filter = Choice | OneOf | Period


@dataclass(frozen=True)
class Bars:
    """For each row a bar per series, from zero. `label`: the columns that name the row; one with words only is left
    out where all rows say the same. `stacked`: the series are parts of one bar."""

    label: Sequence[str]
    series: Sequence[str]
    title: str = ""
    stacked: bool = False


@dataclass(frozen=True)
class Ranges:
    """For each row where the quarters of a distribution lie, from zero: a box between `low` and `high` with a line at
    `middle`, and a whisker to `far`."""

    label: Sequence[str]
    low: str
    middle: str
    high: str
    far: str
    title: str = ""


@dataclass(frozen=True)
class Heat:
    """A table whose cells are the darker the more: a row for each value of `row`, a column for each of `column`."""

    row: str
    column: str
    value: str
    size: str  # how many a row begins with
    title: str = ""


Chart = Bars | Ranges | Heat


@dataclass(frozen=True)
class Report:
    """`question`: what it answers, as people ask it. `about`: how it is counted, and what it does not say. `reads`:
    mart -> the columns of it that the query and the filters name; the first mart has the values of the filters.
    `query`: SQL with a parameter %(key)s for each filter (see `asked`), whose columns are `columns`, in their order.
    `empty`: what has to happen before there is anything to see."""

    slug: str
    title: str
    question: str
    about: str
    reads: Mapping[str, Sequence[str]]
    columns: Sequence[Column]
    query: str
    empty: str
    charts: Sequence[Chart]
    filters: Sequence[Filter] = ()
    icon: str = "bar_chart"

    @property
    def mart(self) -> str:
        return next(iter(self.reads))

    def column(self, key: str) -> Column:
        return next(each for each in self.columns if each.key == key)
