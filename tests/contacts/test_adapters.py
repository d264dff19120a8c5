"""Lists and instants between Python and PostgreSQL are what psycopg alone would make of them."""

from __future__ import annotations

import enum
import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from django.db import DataError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from contacts import adapters

pytestmark = pytest.mark.django_db

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
AWARE = st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC))
NAIVE = st.datetimes(min_value=datetime(1, 1, 2))
INTEGERS = st.integers(-(2**63), 2**63 - 1)


class Colour(enum.StrEnum):
    RED = 'r"e\\d'


def maybe(values: st.SearchStrategy, **bounds: int) -> st.SearchStrategy:
    return st.lists(st.none() | values, **bounds)


def asked(sql: str, *parameters: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


def test_connections_have_them():
    connection.ensure_connection()
    mine = connection.connection.adapters
    assert mine.get_dumper(list, psycopg.adapt.PyFormat.TEXT) is adapters.QuickListDumper
    assert mine.get_loader(1184, psycopg.pq.Format.TEXT) is adapters.QuickInstantLoader
    with connection.cursor() as cursor:  # Django registers its own for a cursor that speaks of another zone
        assert cursor.adapters.get_loader(1184, psycopg.pq.Format.TEXT) is adapters.QuickInstantLoader


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(maybe(TEXT), maybe(INTEGERS), maybe(AWARE), maybe(NAIVE))
def test_a_list_comes_back_as_it_went(texts, numbers, aware, naive):
    assert asked("SELECT %s::text[]", texts) == texts
    assert asked("SELECT %s::bigint[]", numbers) == numbers
    assert asked("SELECT %s::timestamptz[]", aware) == aware
    assert asked("SELECT %s::timestamp[]", naive) == naive


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(maybe(TEXT, min_size=1), maybe(INTEGERS, min_size=1), maybe(AWARE, min_size=1))
def test_postgresql_takes_it_for_what_it_takes_psycopgs_own_for(texts, numbers, aware):
    ours, theirs = adapters.QuickListDumper, psycopg.types.array.ListDumper
    for given_list in (texts, numbers, aware):
        told = []
        for kind in (ours, theirs):
            with connection.cursor() as cursor:
                cursor.adapters.register_dumper(list, kind)
                cursor.execute("SELECT pg_typeof(%s)::text, %s", [given_list, given_list])
                told.append(cursor.fetchone())
        assert told[0][0] == told[1][0]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT %s::text[]", [["a", 'b"\\'], ["NULL", None]]),
        ("SELECT %s::text[]", ["", "NULL", "null", "{}", ",", '"', "\\", "a\nb\tc", " "]),
        ("SELECT %s::bool[]", [True, None, False]),
        ("SELECT %s::numeric[]", [Decimal("1.50"), Decimal("NaN")][:1]),
        ("SELECT %s::uuid[]", [UUID(int=7), None]),
        ("SELECT %s::bytea[]", [b"", b'\x00\\"{},', None, b"\xff"]),
        ("SELECT %s::date[]", [date(2026, 11, 23)]),
        ("SELECT %s::float8[]", [1.5, float("inf")]),
        ("SELECT %s::int[]", []),
        ("SELECT %s::int[]", [None]),
        ("SELECT %s::text[]", [Colour.RED, None]),
        ("SELECT %s::time[]", [time(9, 30)]),
        ("SELECT %s::interval[]", [timedelta(days=1, seconds=2), None]),
    ],
)
def test_lists_of_other_things_come_back_as_they_went_too(sql, value):
    assert asked(sql, value) == value


def test_documents_keep_every_character():
    documents = [{"a": 'quote " and \\ and \n'}, {"b": [1, None, "ü"]}]
    found = asked("SELECT %s::jsonb[]", [*map(Jsonb, documents), None])
    assert [each and json.loads(each) for each in found] == [*documents, None]


@pytest.mark.parametrize("bad", ["a\0b", ["a", "b\0"], ["\0"], [None, "\0"]])
def test_what_no_text_can_hold_is_refused_as_ever(bad):
    with pytest.raises(DataError, match="NUL"):
        asked("SELECT %s", bad)


def test_half_a_character_is_refused_as_ever():
    with pytest.raises(UnicodeEncodeError):
        asked("SELECT %s::text[]", ["\ud800"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.datetimes(min_value=datetime(1, 1, 2)), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_itself_and_of_utc(naive, minutes):
    if not datetime(1, 1, 3) < naive < datetime(9999, 12, 30):
        minutes = 0
    instant = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    found = asked("SELECT %s::timestamptz", instant)
    assert found == instant and found.tzinfo is UTC


@pytest.mark.parametrize("text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "10000-01-01 00:00:00+00"])
def test_an_instant_that_python_has_no_word_for_is_an_error_that_says_so(text):
    with pytest.raises(DataError, match="timestamp"):
        asked("SELECT %s::timestamptz", text)


def test_a_cursor_of_another_zone_still_tells_the_instant():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'Asia/Kathmandu'")
        cursor.execute("SELECT '2026-11-23 12:00:00+00'::timestamptz")
        found = cursor.fetchone()[0]
    assert found == datetime(2026, 11, 23, 12, tzinfo=UTC)
