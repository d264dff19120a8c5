"""When a report is owed: by the clocks of a zone, whatever they do in spring and autumn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from analytics.reports.rhythm import LAST_DAY, Rhythm, next_after, words

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rhythm", "after", "owed"),
    [
        (Rhythm("day", 1, 8, "UTC"), "2026-03-04T07:59", "2026-03-04T08:00"),
        (Rhythm("day", 1, 8, "UTC"), "2026-03-04T08:00", "2026-03-05T08:00"),
        (Rhythm("day", 1, 8, BERLIN), "2026-03-28T08:00", "2026-03-29T06:00"),  # summer begins in between
        (Rhythm("day", 1, 2, BERLIN), "2026-03-28T12:00", "2026-03-29T01:00"),  # there is no two o'clock
        (Rhythm("day", 1, 2, BERLIN), "2026-10-24T12:00", "2026-10-25T00:00"),  # the first of two
        (Rhythm("day", 1, 2, BERLIN), "2026-10-25T00:30", "2026-10-26T01:00"),
        (Rhythm("week", 1, 9, "America/New_York"), "2026-03-04T12:00", "2026-03-09T13:00"),
        (Rhythm("week", 3, 0, "Pacific/Auckland"), "2026-03-03T10:00", "2026-03-03T11:00"),  # their Wednesday
        (Rhythm("month", 1, 8, "UTC"), "2026-03-01T08:00", "2026-04-01T08:00"),
        (Rhythm("month", 28, 8, "UTC"), "2026-01-29T00:00", "2026-02-28T08:00"),
        (Rhythm("day", 1, 8, "Mars/Olympus"), "2026-03-04T07:59", "2026-03-04T08:00"),
    ],
)
def test_the_next_time_is_that_of_the_clock_on_the_wall(rhythm, after, owed):
    assert next_after(rhythm, at(after)) == at(owed)


@given(
    some.sampled_from(sorted(LAST_DAY)),
    some.integers(1, 28),
    some.integers(0, 23),
    some.sampled_from(["UTC", BERLIN, "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
    some.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)),
)
def test_every_rhythm_comes_round_and_never_twice_at_once(every, on_day, hour, zone, after):
    rhythm = Rhythm(every, min(on_day, LAST_DAY[every]), hour, zone)
    first = next_after(rhythm, after.replace(tzinfo=UTC))
    second = next_after(rhythm, first)
    assert after.replace(tzinfo=UTC) < first < second
    assert second - first <= {"day": timedelta(days=3), "week": timedelta(days=15), "month": timedelta(days=63)}[every]
    shown = first.astimezone(ZoneInfo(zone))
    assert shown.hour == hour or shown.minute in (0, 30)  # another hour only where a change skipped it


def test_a_rhythm_is_said_in_words():
    assert words(Rhythm("week", 5, 7, BERLIN)) == "every Friday at 07:00 (Europe/Berlin)"
    assert words(Rhythm("month", 2, 17, "UTC")) == "on day 2 of every month at 17:00 (UTC)"
