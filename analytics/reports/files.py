"""A report as a file: CSV that a spreadsheet opens and does not run, or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from analytics.reports import parquet, wording
from analytics.reports.report import DATE, INTEGER, MONTH, WORDS, Report
from contacts import spreadsheets

CSV, PARQUET = "csv", "parquet"
TYPES = {CSV: "text/csv; charset=utf-8", PARQUET: "application/vnd.apache.parquet"}
AT_ONCE = 1000  # rows


def pieces(report: Report, rows: Sequence[tuple[Any, ...]], kind: str) -> Iterator[bytes]:
    """The file, piece by piece. `kind`: one of TYPES."""
    return _csv(report, rows) if kind == CSV else _parquet(report, rows)


def _csv(report: Report, rows: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    """The first line has the columns' keys, the same as in Parquet and the API."""
    yield _written([[column.key for column in report.columns]])
    for start in range(0, len(rows), AT_ONCE):
        yield _written(
            [wording.plain(column, value) for column, value in zip(report.columns, row, strict=True)]
            for row in rows[start : start + AT_ONCE]
        )


def _written(rows: Iterable[Iterable[str]]) -> bytes:
    return spreadsheets.lines(rows).encode("utf-8", "replace")


def _parquet(report: Report, rows: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    columns = [parquet.Column(each.key, _TYPES.get(each.kind, parquet.DOUBLE)) for each in report.columns]
    read = [_AS[column.type] for column in columns]
    yield from parquet.write(
        columns,
        [tuple(None if value is None else as_(value) for as_, value in zip(read, row, strict=True)) for row in rows],
    )


_TYPES = {
    **dict.fromkeys(WORDS, parquet.STRING),
    INTEGER: parquet.INT64,
    DATE: parquet.DATE,
    MONTH: parquet.DATE,
}
_AS: dict[str, Callable[[Any], Any]] = {
    parquet.STRING: str,
    parquet.INT64: int,
    parquet.DOUBLE: float,
    parquet.DATE: lambda day: day,
}
