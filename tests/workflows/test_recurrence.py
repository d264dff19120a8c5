"""RRULEs as tables: when something comes again, on whose clock, and what is no rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import dateutil.rrule
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.entry import recurrence, schedules
from workflows.entry.recurrence import BadRecurrence

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
PUBLISHED = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)


def coming(text: str, *, tz: ZoneInfo = BERLIN, after: datetime = PUBLISHED, most: int = 3) -> list[str]:
    rule = recurrence.parse(text)
    found = recurrence.occurrences(rule, published_at=PUBLISHED, after=after, tz=tz)
    return [instant.strftime("%Y-%m-%dT%H:%M:%S") for instant in islice(found, most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
            ["2026-03-09T08:00:00", "2026-03-16T08:00:00", "2026-03-23T08:00:00"],
        ),
        ("RRULE:FREQ=DAILY;COUNT=3", ["2026-03-05T12:00:30", "2026-03-06T12:00:30"]),  # the first is the publishing
        ("FREQ=DAILY;UNTIL=20260306T120030Z", ["2026-03-05T12:00:30", "2026-03-06T12:00:30"]),
        ("freq=daily;until=20260305", ["2026-03-05T12:00:30"]),
        ("DTSTART:20260310T090000\nFREQ=DAILY;INTERVAL=10;COUNT=2", ["2026-03-10T08:00:00", "2026-03-20T08:00:00"]),
        ("DTSTART:20200101T060000\nFREQ=DAILY;COUNT=5", []),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=0;BYMINUTE=0;COUNT=2", ["2026-03-30T22:00:30", "2026-04-29T22:00:30"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=12;BYMINUTE=0;BYSECOND=0;COUNT=1", ["2028-02-29T11:00:00"]),
        ("FREQ=MONTHLY;BYDAY=1FR;BYHOUR=18;BYMINUTE=0;COUNT=2", ["2026-03-06T17:00:30", "2026-04-03T16:00:30"]),
    ],
)  # fmt: skip
def test_occurrences_come_strictly_after_on_the_clock_of_the_zone(text, expected):
    assert coming(text) == expected


def test_nine_oclock_stays_nine_oclock_over_a_clock_change():
    rule = "FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    around = coming(rule, after=datetime(2026, 3, 28, 0, 0, tzinfo=UTC))
    assert around == ["2026-03-28T08:00:00", "2026-03-29T07:00:00", "2026-03-30T07:00:00"]


def test_a_skipped_time_comes_right_after_the_gap_and_a_repeated_one_at_its_first_occurrence():
    night = "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"
    assert coming(night, after=datetime(2026, 3, 28, 12, tzinfo=UTC), most=1) == ["2026-03-29T01:00:00"]
    assert coming(night, after=datetime(2026, 10, 24, 12, tzinfo=UTC), most=2) == [
        "2026-10-25T00:30:00",
        "2026-10-26T01:30:00",
    ]
    assert coming("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", tz=NEW_YORK, most=4)[3] == "2026-03-08T07:00:00"


@pytest.mark.parametrize(
    "text",
    [
        "", "FREQ=SECONDLY", "FREQ=MINUTELY", "INTERVAL=2", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;BYEASTER=1",
        "FREQ=DAILY;BYHOUR=99", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=99999", "FREQ=DAILY;COUNT=2;UNTIL=20270101", "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;BYMINUTE=0,30", "FREQ=HOURLY;BYSECOND=0,1", 
        "DTSTART;TZID=Europe/Berlin:20260101T000000\nFREQ=DAILY",
        "DTSTART:20260101T000000Z\nFREQ=DAILY", "DTSTART:19700101T000000\nFREQ=DAILY", "FREQ=DAILY\nFREQ=WEEKLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;" + "BYMONTH=1," * 100, "FREQ=DAILY;=", "FREQ", "\x00",
        "FREQ=YEARLY;BYSETPOS=400;BYDAY=MO",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_in_words(text):
    with pytest.raises(BadRecurrence, match=r"\w{3}"):
        recurrence.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "DTSTART:20000103T000000\nFREQ=DAILY;INTERVAL=7;BYDAY=TU",
    ],
)
def test_a_rule_that_never_comes_true_is_found_out_by_a_search_that_ends_soon(text, monkeypatch):
    months = 0
    look_at = dateutil.rrule._iterinfo.rebuild

    def counted(self, year: int, month: int) -> None:
        nonlocal months
        months += 1
        look_at(self, year, month)

    monkeypatch.setattr(dateutil.rrule._iterinfo, "rebuild", counted)
    with pytest.raises(BadRecurrence, match="never comes true"):
        recurrence.parse(text)
    assert 0 < months <= 400 * 12 + 12  # to the end of the calendar there are nearly a hundred thousand


def test_of_many_missed_occurrences_the_latest_is_made_up_for():
    rule = recurrence.parse("FREQ=HOURLY")
    first = PUBLISHED + timedelta(hours=1)
    now = PUBLISHED + timedelta(hours=50, minutes=10)
    latest, following = schedules.around(rule, first=first, published_at=PUBLISHED, now=now, tz=BERLIN)
    assert (latest, following) == (PUBLISHED + timedelta(hours=50), PUBLISHED + timedelta(hours=51))


def test_after_the_last_occurrence_there_is_none():
    rule = recurrence.parse("FREQ=DAILY;COUNT=3")
    now = PUBLISHED + timedelta(days=90)
    first = PUBLISHED + timedelta(days=1)
    latest, following = schedules.around(rule, first=first, published_at=PUBLISHED, now=now, tz=BERLIN)
    assert (latest, following) == (PUBLISHED + timedelta(days=2), None)


parts = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(recurrence.FREQUENCIES), "INTERVAL": st.integers(1, 40).map(str)},
    optional={
        "BYDAY": st.sampled_from(["MO", "TU,TH", "SA,SU"]),
        "BYMONTH": st.sampled_from(["2", "3,10", "12"]),
        "BYHOUR": st.sampled_from(["2", "9", "0,23"]),
        "COUNT": st.integers(1, 20).map(str),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    parts=parts, zone=st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe")]), hours=st.integers(0, 9000)
)
def test_going_from_one_to_the_next_meets_exactly_what_a_walk_from_the_beginning_meets(parts, zone, hours):
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        rule = recurrence.parse(text)
    except BadRecurrence:
        return  # some combinations never come true
    after = PUBLISHED + timedelta(hours=hours)
    walk = recurrence.occurrences(rule, published_at=PUBLISHED, after=PUBLISHED - timedelta(seconds=1), tz=zone)
    horizon = after + timedelta(days=900)
    expected = []
    for instant in walk:
        if instant > horizon or len(expected) == 4:
            break
        if instant > after:
            expected.append(instant)
    found, at = [], after
    while len(found) < 4:
        following = recurrence.next_after(rule, published_at=PUBLISHED, after=at, tz=zone)
        if following is None or following > horizon:
            break
        found.append(following)
        at = following
    assert sorted(set(expected))[: len(found)] == found and len(found) >= len(set(expected)) - 1
