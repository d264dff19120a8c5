"""A table as records: what is read, what is broken, and that nothing else is lost."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from contacts.importing import csv_rows, reading
from contacts.importing.csv_rows import BadHeader, BrokenLine, Dialect, Record, Table
from contacts.importing.values import typed

SHARED = settings.BASE_DIR.parent / "shared"


def rows(text: str, dialect: Dialect | None = None) -> list[Record | BrokenLine]:
    return list(csv_rows.read(reading.lines([text.encode()], "utf-8"), dialect))


def said(text: str) -> list[tuple[int, list[str]]]:
    return [(row.line, row.cells) for row in rows(text) if isinstance(row, Record)]


def broken(text: str) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rows(text) if isinstance(row, BrokenLine)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not here")
def test_the_spectrum_of_csv_files_is_read_as_it_is_meant():
    folder = SHARED / "vectors/bad_input/csv_spectrum"
    files = sorted((folder / "csvs").iterdir())
    assert len(files) > 10
    for file in files:
        table = Table(reading.lines([file.read_bytes()], "utf-8"), Dialect())
        read = []
        while (batch := table.batch(1)) is not None:  # one line at a time, so that records cross the edges of batches
            read += batch
        expected = json.loads((folder / "json" / f"{file.stem}.json").read_text())
        expected = expected if isinstance(expected, list) else [expected]  # some files of one row give it alone
        meant = [{name: value for name, value in row.items() if value.strip()} for row in expected]
        if file.stem == "location_coordinates":  # where the collection's own answer has another telephone number
            meant[0]["Contact Phone Number"] = "2095257564"
        named = [dict(zip(table.header, record.cells, strict=True)) for record in read]
        assert [{name: value for name, value in row.items() if value.strip()} for row in named] == meant, file.name


def test_records_know_their_line():
    assert said('a,b\n1,2\n\n"x\ny",3\r\n4,5') == [(2, ["1", "2"]), (4, ["x\ny", "3"]), (6, ["4", "5"])]


def test_records_know_what_stands_in_the_file():
    assert [row.raw for row in rows('a,b\n1,"2"\n"x\ny",3\n')] == ['1,"2"\n', '"x\ny",3\n']


def test_broken_lines_are_told_and_the_others_are_read():
    text = 'a,b\n1,2\n1,2,3\n4\n"open,5\n6,7\n8,"9"9\n10,11\n'
    assert [line for line, _ in broken(text)] == [3, 4, 5, 7]
    assert [cells[0] for _, cells in said(text)] == ["1", "6", "10"]


def test_a_quote_that_is_never_closed_does_not_swallow_the_file():
    body = "".join(f"c{n},x\n" for n in range(20_000))
    read = rows('a,b\n1,2\n"open,3\n' + body)
    assert [row.line for row in read if isinstance(row, BrokenLine)] == [3]
    assert sum(isinstance(row, Record) for row in read) == 20_001


def test_a_line_without_end_is_not_kept_in_memory():
    blocks = [b"a,b\n", *[b"x" * 1_000_000] * 3, b",1\n2,3\n"]
    lines = list(reading.lines(blocks, "utf-8"))
    assert [len(line) for line in lines] == [4, csv_rows.MOST_CHARACTERS + 1, 4]
    assert reading.sizer("utf-8")(lines) == sum(map(len, blocks))
    assert [type(row) for row in csv_rows.read(lines)] == [BrokenLine, Record]


def test_a_field_that_is_too_long_is_refused():
    assert broken(f'a\n"{"x" * 8193}"\n') == [(2, "a: is longer than 8192 bytes")]


ODD = st.text(st.sampled_from('ab,;"\n\r \x00\x0b\u2028ü'), max_size=60)


@given(ODD, st.integers(1, 5))
def test_parsing_many_lines_at_once_says_the_same_as_one_record_after_the_other(text, size):
    lines = list(reading.lines([b"a,b\n" + text.encode()], "utf-8"))
    at_once, careful = Table(lines, Dialect()), Table(lines, Dialect())
    careful._at_once = lambda lines: None
    found = {}
    for name, table in (("at once", at_once), ("careful", careful)):
        found[name] = []
        while (batch := table.batch(size)) is not None:
            found[name] += batch
        assert "".join(table.finished()) == "".join(lines)
    assert found["at once"] == found["careful"]


@pytest.mark.parametrize("header", ["", "a,a", "a,,b", ",".join(f"c{n}" for n in range(201)), "x" * 101, '"a'])
def test_a_header_that_names_no_columns_ends_it(header):
    with pytest.raises(BadHeader):
        rows(f"{header}\n1,2\n" if header else "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("900", 900),
        ("-3", -3),
        ("0", 0),
        ("12.50", 12.5),
        ("-0.5", -0.5),
        ("true", True),
        ("false", False),
        ("007", "007"),
        ("+49", "+49"),
        ("1e3", "1e3"),
        ("1,5", "1,5"),
        ("1.2.3", "1.2.3"),
        ("12345678901234567890", "12345678901234567890"),
        ("٣", "٣"),
        ("NaN", "NaN"),
        ("True story", "True story"),
    ],
)
def test_numbers_are_numbers_and_what_only_looks_like_one_stays_text(text, value):
    assert typed(text) == value
    assert type(typed(text)) is type(value)
