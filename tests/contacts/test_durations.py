"""Months belong to a calendar: they are counted from a day, and refused where there is none."""

from datetime import date

import pytest

from contacts.durations import BadDuration, moved, parse_calendar, parse_duration, parse_offset


@pytest.mark.parametrize("text", ["P1M", "P1Y", "P1Y2M3D"])
def test_a_window_has_no_months(text):
    with pytest.raises(BadDuration, match="no fixed length"):
        parse_duration(text)
    assert parse_calendar(text).months


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1D", "P-1D", "P1.5D", "P1M1Y", "P1W1D", None, "P99999Y"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(BadDuration):
        parse_calendar(text)


@pytest.mark.parametrize(
    ("day", "offset", "expected"),
    [
        (date(2026, 1, 31), "P1M", date(2026, 2, 28)),
        (date(2028, 1, 31), "P1M", date(2028, 2, 29)),
        (date(2026, 3, 31), "-P1M", date(2026, 2, 28)),
        (date(2026, 1, 15), "-P1M", date(2025, 12, 15)),
        (date(2026, 1, 31), "P1M1D", date(2026, 3, 1)),
        (date(2028, 2, 29), "P1Y", date(2029, 2, 28)),
        (date(2028, 2, 29), "P4Y", date(2032, 2, 29)),
    ],
)
def test_a_month_that_is_shorter_ends_at_its_last_day(day, offset, expected):
    assert moved(day, parse_offset(offset)) == expected


@pytest.mark.parametrize(("day", "offset"), [(date(9990, 1, 1), "P99Y"), (date(90, 1, 1), "-P99Y")])
def test_beyond_the_calendar_there_is_no_day(day, offset):
    with pytest.raises(OverflowError):
        moved(day, parse_offset(offset))
