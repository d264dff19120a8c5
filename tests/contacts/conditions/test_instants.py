"""The two readers of ISO 8601 instants, one in Python and one in SQL, accept the same texts and mean the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.conditions.instants import parse_instant

pytestmark = pytest.mark.django_db


def in_sql(values: list[object]) -> list[datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT instant_of(value) FROM unnest(%s::jsonb[]) WITH ORDINALITY AS given(value, number) ORDER BY number",
            [[json.dumps(value) for value in values]],
        )
        return [row[0] for row in cursor.fetchall()]


def in_python(text: str) -> datetime | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
        ("2026-03-04T09:30", datetime(2026, 3, 4, 9, 30, tzinfo=UTC)),
        ("2026-03-04 09:30:15", datetime(2026, 3, 4, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-04t09:30:15z", datetime(2026, 3, 4, 9, 30, 15, tzinfo=UTC)),
        ("2026-03-04T09:30:15.5Z", datetime(2026, 3, 4, 9, 30, 15, 500000, tzinfo=UTC)),
        ("2026-03-04T09:30:15.123456789Z", datetime(2026, 3, 4, 9, 30, 15, 123456, tzinfo=UTC)),
        ("2026-03-04T09:30:00+02:00", datetime(2026, 3, 4, 7, 30, tzinfo=UTC)),
        ("2026-03-04T09:30:00-0530", datetime(2026, 3, 4, 15, 0, tzinfo=UTC)),
        ("2026-03-04T09:30+14", datetime(2026, 3, 3, 19, 30, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2000-02-29", datetime(2000, 2, 29, tzinfo=UTC)),
        *((text, None) for text in (
            "", "soon", "now", "infinity", "epoch", "today", "2026", "2026-03", "2026-3-4", "20260304", "04.03.2026",
            "2026-02-29", "1900-02-29", "2026-02-30", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00",
            "0000-01-01", "0999-01-01", "12026-01-01", "2026-03-04T", "2026-03-04T24:00", "2026-03-04T09:60",
            "2026-03-04T09:30:60", "2026-03-04T09", "2026-03-04T09:30:15.", "2026-03-04T09:30:15.1234567890",
            "2026-03-04Z", "2026-03-04T09:30+16:00", "2026-03-04T09:30+2", "2026-03-04T09:30 UTC", " 2026-03-04",
            "2026-03-04 ", "2026-03-04\n", "2026-03-04T09:30:00Z\n", "2026-W10-3", "２０２６-03-04", "2026-03-04BC",
        )),
    ],
)  # fmt: skip
def test_both_readers_agree_about_a_text(text, expected):
    assert in_python(text) == expected
    assert in_sql([text]) == [expected]


def test_json_that_is_not_text_is_no_instant():
    assert in_sql([20260304, 1.5, True, None, [], ["2026-03-04"], {"at": "2026-03-04"}]) == [None] * 7


def test_what_an_instant_means_does_not_depend_on_the_session():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'Pacific/Auckland'; SET LOCAL DateStyle = 'SQL, DMY'")
        cursor.execute("""SELECT extract(epoch FROM instant_of('"2026-03-04 09:30"'))""")
        assert cursor.fetchone()[0] == datetime(2026, 3, 4, 9, 30, tzinfo=UTC).timestamp()


ALMOST = st.from_regex(
    r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]"
    r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,10})?)?(Z|[+-][01][0-9](:?[0-6][0-9])?)?)?\Z"
).filter(lambda text: text.isascii() and not text.startswith("9999-12-31"))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(texts=st.lists(ALMOST | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=20))
def test_both_readers_agree_about_almost_every_text(texts):
    assert in_sql(texts) == [in_python(text) for text in texts]
