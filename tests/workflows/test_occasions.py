"""When a contact's date falls due, as tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts.durations import parse_offset
from workflows.entry import occasions
from workflows.entry.occasions import Rule

BERLIN, TOKYO, LA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles")
LONG_AGO, FAR = datetime(2000, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)


def rule(offset: str = "PT0S", at: str | None = None, *, every_year: bool = False) -> Rule:
    return Rule(parse_offset(offset), time.fromisoformat(at) if at else None, every_year)


def due(value: str, given: Rule, tz: ZoneInfo = BERLIN, after=LONG_AGO, until=FAR) -> list[tuple[str, str]]:
    found = occasions.within(value, given, tz=tz, after=after, until=until)
    return [(each.name, each.due_at.strftime("%Y-%m-%dT%H:%M")) for each in found]


@pytest.mark.parametrize(
    ("value", "given_rule", "tz", "name", "expected"),
    [
        ("2026-06-10", rule("-P3D", "09:00"), BERLIN, "2026-06-10", "2026-06-07T07:00"),
        ("2026-06-10", rule("-P3D", "09:00"), TOKYO, "2026-06-10", "2026-06-07T00:00"),
        (" 2026-06-10 ", rule(), BERLIN, "2026-06-10", "2026-06-09T22:00"),
        ("2026-06-10", rule("P1M"), BERLIN, "2026-06-10", "2026-07-09T22:00"),
        ("2026-01-31", rule("P1M", "12:00"), BERLIN, "2026-01-31", "2026-02-28T11:00"),
        ("2026-06-10", rule("PT36H"), BERLIN, "2026-06-10", "2026-06-11T10:00"),
        ("2026-06-10T18:30", rule("-PT2H"), BERLIN, "2026-06-10T18:30:00", "2026-06-10T14:30"),
        ("2026-06-10T23:30-07:00", rule("P0D", "09:00"), BERLIN, "2026-06-11T06:30:00+00:00", "2026-06-11T07:00"),
        ("2026-06-10T23:30-07:00", rule("P0D", "09:00"), LA, "2026-06-11T06:30:00+00:00", "2026-06-10T16:00"),
        # the clock goes forward at two, and back at three
        ("2026-03-29", rule("P0D", "02:30"), BERLIN, "2026-03-29", "2026-03-29T01:00"),
        ("2026-10-25", rule("P0D", "02:30"), BERLIN, "2026-10-25", "2026-10-25T00:30"),
    ],
)
def test_a_date_falls_due_on_the_contacts_calendar(value, given_rule, tz, name, expected):
    assert due(value, given_rule, tz) == [(name, expected)]


@pytest.mark.parametrize(
    "value", ["", "soon", "10.06.2026", "2026-02-30", "2026-6-1", "20260610", "9999-12-31T23:59-12:00", "2026-06-10x"]
)
def test_what_is_no_date_starts_nothing(value):
    assert due(value, rule("P1D"), TOKYO) == []
    assert occasions.named(value, rule("P1D"), "2026-06-10", tz=TOKYO) is None


def test_every_year_is_an_occasion_and_29_february_is_the_28th_where_there_is_none():
    found = due("1992-02-29", rule("P0D", "09:00", every_year=True), after=datetime(2026, 1, 1, tzinfo=UTC), until=FAR)
    assert found[:3] == [
        ("2026-02-28", "2026-02-28T08:00"),
        ("2027-02-28", "2027-02-28T08:00"),
        ("2028-02-29", "2028-02-29T08:00"),
    ]


def test_a_date_that_is_still_to_come_has_no_occasions_before_it():
    assert due("2030-05-01", rule(every_year=True))[0][0] == "2030-05-01"


@settings(max_examples=300, deadline=None)
@given(
    day=st.dates(date(2019, 1, 1), date(2031, 12, 31)),
    clock=st.sampled_from(["", "T00:30", "T23:45", "T12:00Z", "T23:30-11:00", "T00:30+14:00"]),
    offset=st.sampled_from(["P0D", "P1D", "-P3D", "P1M", "-P2M", "P1Y", "-P400D", "PT5H", "-PT100H"]),
    at=st.sampled_from([None, "00:00", "02:30", "23:59"]),
    every_year=st.booleans(),
    zone=st.sampled_from([BERLIN, TOKYO, LA, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
)
def test_the_days_that_the_database_looks_for_hold_everything_that_falls_due(
    day, clock, offset, at, every_year, zone, start
):
    value, after = day.isoformat() + clock, start.replace(tzinfo=UTC)
    until = after + timedelta(hours=25)
    given_rule = rule(offset, at, every_year=every_year)
    found = occasions.within(value, given_rule, tz=zone, after=after, until=until)
    first, last = occasions.days(given_rule, after=after, until=until)
    of_the_year = occasions.days_of_the_year(first, last)
    for each in found:
        assert occasions.named(value, given_rule, each.name, tz=zone) == each
        if every_year:
            assert of_the_year is None or value[5:10] in of_the_year
        else:
            assert first.isoformat() <= value[:10] <= last.isoformat()
    everything = occasions.within(value, given_rule, tz=zone, after=LONG_AGO, until=FAR)
    assert [each for each in everything if after < each.due_at <= until] == found
