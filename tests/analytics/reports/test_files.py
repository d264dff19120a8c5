"""CSV that no spreadsheet runs, and Parquet that others read."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from analytics.reports import files, parquet
from analytics.reports.downloads import download
from analytics.reports.reading import Rows
from analytics.reports.register import named

REVENUE = named("revenue")
ROW = (date(2026, 2, 1), "EUR", 3, Decimal("900.50"), Decimal("300.1666"), None)


def written(rows: list[tuple], kind: str) -> bytes:
    return b"".join(files.pieces(REVENUE, rows, kind))


def read_back(data: bytes, tmp_path: Path) -> tuple[list[tuple[str, str]], list[tuple]]:
    """By DuckDB: names with types, and rows."""
    path = tmp_path / "file.parquet"
    path.write_bytes(data)
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        rows = connection.execute(f"SELECT * FROM '{path}'").fetchall()
    return [(name, kind) for name, kind, *_ in described], rows


def test_a_line_has_bare_numbers_and_days_of_iso_8601():
    lines = list(csv.reader(io.StringIO(written([ROW], files.CSV).decode())))
    assert lines == [
        ["begins", "currency", "sales", "amount", "mean", "so_far"],
        ["2026-02-01", "EUR", "3", "900.50", "300.1666", ""],
    ]


@pytest.mark.parametrize("hostile", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(hostile):
    (_, line) = csv.reader(io.StringIO(written([(*ROW[:1], hostile, *ROW[2:])], files.CSV).decode(), newline=""))
    assert line[1] == f"'{hostile}"


def test_a_long_file_comes_in_pieces():
    pieces = list(files.pieces(REVENUE, [ROW] * 2500, files.CSV))
    assert len(pieces) == 4
    assert b"".join(pieces).count(b"\r\n") == 2501


@pytest.mark.parametrize(("is_cut", "name"), [(False, "revenue.csv"), (True, "revenue-first-2-rows.csv")])
def test_a_file_that_is_cut_says_so_in_its_name(is_cut, name):
    response = download(REVENUE, Rows([ROW] * 2, is_cut=is_cut), files.CSV)
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


def test_parquet_has_typed_columns_and_nulls(tmp_path):
    described, rows = read_back(written([ROW, (None,) * 6], files.PARQUET), tmp_path)
    assert described == [
        ("begins", "DATE"), ("currency", "VARCHAR"), ("sales", "BIGINT"), ("amount", "DOUBLE"), ("mean", "DOUBLE"),
        ("so_far", "DOUBLE"),
    ]  # fmt: skip
    assert rows == [(date(2026, 2, 1), "EUR", 3, 900.5, 300.1666, None), (None,) * 6]


def test_parquet_without_rows_is_a_table_all_the_same(tmp_path):
    described, rows = read_back(written([], files.PARQUET), tmp_path)
    assert (len(described), rows) == (6, [])


def test_parquet_of_several_groups_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_IN_A_GROUP", 7)
    columns = [parquet.Column("n", parquet.INT64)]
    many = [(n if n % 3 else None,) for n in range(40)]
    _, rows = read_back(b"".join(parquet.write(columns, many)), tmp_path)
    assert rows == many


WIDE = [parquet.Column(f"column_{n}", parquet.DOUBLE) for n in range(20)]  # more than a short list holds


def test_parquet_has_as_many_columns_as_wanted(tmp_path):
    row = tuple(float(n) for n in range(20))
    assert read_back(b"".join(parquet.write(WIDE, [row])), tmp_path)[1] == [row]


CELLS = some.tuples(
    some.none() | some.text(some.characters(exclude_categories=["Cs"]), max_size=20),
    some.none() | some.integers(-(2**63), 2**63 - 1),
    some.none() | some.floats(allow_nan=False),
    some.none() | some.dates(date(1, 1, 1), date(9999, 12, 31)),
)


@settings(max_examples=60, deadline=None)  # each opens another database
@given(some.lists(CELLS, max_size=30))
def test_whatever_is_written_is_read_back(tmp_path_factory, rows):
    kinds = (parquet.STRING, parquet.INT64, parquet.DOUBLE, parquet.DATE)
    columns = [parquet.Column(kind, kind) for kind in kinds]
    data = b"".join(parquet.write(columns, rows))
    assert read_back(data, tmp_path_factory.mktemp("parquet"))[1] == rows
