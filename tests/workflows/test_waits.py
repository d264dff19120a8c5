"""When a wait ends, as a table of the days on which it goes wrong elsewhere."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import wall_clock
from contacts.durations import parse_calendar, parse_offset
from workflows import waits

NEW_YORK, BERLIN, CAIRO = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("Africa/Cairo")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "arrived", "at", "weekday", "expected"),
    [
        (NEW_YORK, "2026-03-07T20:00", "09:00", None, "2026-03-08T13:00"),  # the day of the change: nine is EDT
        (NEW_YORK, "2026-03-08T06:00", "02:30", None, "2026-03-08T07:00"),  # 02:30 is skipped: 03:00 EDT at once after
        (NEW_YORK, "2026-11-01T04:00", "01:30", None, "2026-11-01T05:30"),  # 01:30 comes twice: the first
        (NEW_YORK, "2026-11-01T05:30", "01:30", None, "2026-11-02T06:30"),  # strictly after the first
        (BERLIN, "2026-03-04T08:00", "09:00", None, "2026-03-05T08:00"),  # nine sharp: tomorrow
        (BERLIN, "2026-03-04T07:59", "09:00", None, "2026-03-04T08:00"),
        (BERLIN, "2026-03-04T12:00", "09:00", 0, "2026-03-09T08:00"),  # Wednesday to Monday
        (BERLIN, "2026-03-02T08:00", "09:00", 0, "2026-03-09T08:00"),  # Monday nine sharp: next Monday
        (CAIRO, "2026-04-23T12:00", "00:00", None, "2026-04-23T22:00"),  # midnight of the 24th is skipped: 01:00
        (ZoneInfo("Pacific/Apia"), "2011-12-29T12:00", "09:00", None, "2011-12-29T19:00"),
        (ZoneInfo("Pacific/Apia"), "2011-12-29T20:00", "09:00", None, "2011-12-30T19:00"),  # a day that never was
        (ZoneInfo("America/Vancouver"), "2026-11-19T12:00", "09:00", None, "2026-11-19T16:00"),  # permanent since 2026
    ],
)
def test_the_next_local_time(zone, arrived, at, weekday, expected):
    wake = waits.next_local_time(arrived=utc(arrived), at=time.fromisoformat(at), weekday=weekday, tz=zone, speed=1)
    assert wake.at == utc(expected)


@pytest.mark.parametrize(
    ("arrived", "duration", "expected"),
    [
        ("2026-03-07T14:00", "P1D", "2026-03-08T13:00"),  # nine o'clock stays nine o'clock, though 23 hours passed
        ("2026-03-07T14:00", "PT24H", "2026-03-08T14:00"),  # 24 hours are 24 hours
        ("2026-03-07T07:30", "P1D", "2026-03-08T07:00"),  # 02:30 into the gap: the first valid instant
        ("2026-10-31T13:00", "P1DT1H", "2026-11-01T15:00"),
        ("2026-03-07T14:00", "PT0S", "2026-03-07T14:00"),
        ("2026-03-01T14:00", "P2W", "2026-03-15T13:00"),
        ("2026-01-31T14:00", "P1M", "2026-02-28T14:00"),  # February has no 31st: its last day
        ("2026-01-31T14:00", "P2M", "2026-03-31T13:00"),  # counted from January, not from the shorter month
        ("2028-02-29T14:00", "P1Y", "2029-02-28T14:00"),
        ("2026-01-31T14:00", "P1M1DT1H", "2026-03-01T15:00"),  # months, then days, then hours
        ("2026-12-15T14:00", "P1M", "2027-01-15T14:00"),
    ],
)
def test_calendar_days_and_elapsed_hours_are_not_the_same(arrived, duration, expected):
    wake = waits.after_duration(arrived=utc(arrived), duration=parse_calendar(duration), tz=NEW_YORK, speed=1)
    assert wake.at == utc(expected)


def test_a_faster_installation_shortens_the_wait_and_nothing_else():
    arrived = utc("2026-03-04T12:00")
    wake = waits.after_duration(arrived=arrived, duration=parse_calendar("P2D"), tz=BERLIN, speed=86_400)
    assert wake.at == arrived + timedelta(seconds=2)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "US/Pacific-New", "../etc/passwd", "europe/berlin\x00"])
def test_a_zone_that_does_not_exist_falls_back_and_never_raises(name):
    assert wall_clock.choose_zone(name, "", "Europe/Berlin").key == "Europe/Berlin"
    assert wall_clock.choose_zone(name).key == "UTC"


def test_the_pinned_time_zone_data_is_in_use():
    """British Columbia stays on daylight time from November 2026: an older copy would be an hour off."""
    assert datetime(2026, 12, 1, tzinfo=ZoneInfo("America/Vancouver")).utcoffset() == timedelta(hours=-7)


ZONES = st.sampled_from(sorted(available_timezones()))
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@given(zone=ZONES, arrived=INSTANTS, at=st.times().map(lambda t: t.replace(second=0, microsecond=0)))
def test_a_local_wait_ends_at_its_local_time_or_just_after_a_gap(zone, arrived, at):
    tz = ZoneInfo(zone)
    wake = waits.next_local_time(arrived=arrived, at=at, weekday=None, tz=tz, speed=1).at
    local = wake.astimezone(tz)
    assert arrived < wake <= arrived + timedelta(days=2, hours=4)
    if local.time().replace(tzinfo=None) != at:
        just_before = (wake - timedelta(seconds=1)).astimezone(tz)
        assert local.utcoffset() > just_before.utcoffset(), "moved, though there is no gap"
        assert just_before.replace(tzinfo=None) < datetime.combine(local.date(), at) <= local.replace(tzinfo=None)


@given(zone=ZONES, day=st.dates(date(2024, 1, 1), date(2032, 12, 31)), at=st.times())
def test_no_local_time_is_later_than_its_first_occurrence(zone, day, at):
    tz = ZoneInfo(zone)
    instant = wall_clock.instant_of(day, at, tz)
    earlier = instant - timedelta(hours=1)
    assert earlier.astimezone(tz).replace(tzinfo=None) < datetime.combine(day, at)


@pytest.mark.parametrize(
    ("value", "offset", "at", "expected"),
    [
        ("2026-06-10", "PT0S", "09:00", "2026-06-10T13:00"),  # nine in New York
        ("2026-06-10", "-P3D", "09:00", "2026-06-07T13:00"),
        ("2026-03-31", "-P1M", "09:00", "2026-03-01T12:00"),  # the last of February was before the arrival
        ("2026-05-31", "-P1M", "09:00", "2026-04-30T13:00"),
        ("2026-06-10", "P3D", None, "2026-06-13T04:00"),  # a date without a time is its midnight there
        ("2026-03-09", "-P1D", "02:30", "2026-03-08T07:00"),  # skipped by the change: the first valid instant
        ("2026-06-10T01:00:00Z", "PT0S", "09:00", "2026-06-09T13:00"),  # there it is still the ninth
        ("2026-06-10T01:00:00Z", "-PT2H", None, "2026-06-09T23:00"),
        ("2026-06-10T09:30", "PT0S", None, "2026-06-10T13:30"),  # without a zone: the clock on their wall
        ("2020-06-10", "PT0S", "09:00", "2026-03-01T12:00"),  # past: at once
    ],
)
def test_a_date_that_somebody_has(value, offset, at, expected):
    wake = waits.around_date(
        arrived=utc("2026-03-01T12:00"),
        value=value,
        offset=parse_offset(offset),
        at=at and time.fromisoformat(at),
        tz=NEW_YORK,
        speed=1,
    )
    assert wake is not None and wake.at == utc(expected)


@given(zone=ZONES, arrived=INSTANTS, at=st.times())
def test_the_intent_says_what_the_wake_was_made_of(zone, arrived, at):
    """So `retime` moves nobody while the time zone data stays the same."""
    tz = ZoneInfo(zone)
    length = parse_calendar("P1M2DT5H30M")
    for wake in (
        waits.after_duration(arrived=arrived, duration=length, tz=tz, speed=1),
        waits.next_local_time(arrived=arrived, at=at, weekday=3, tz=tz, speed=1),
        waits.around_date(arrived=arrived, value="2040-02-29", offset=parse_offset("-P1M"), at=at, tz=tz, speed=1),
    ):
        assert wake is not None and waits.instant_meant(wake.intent) == wake.at


@pytest.mark.parametrize("value", ["", "soon", "2026-02-30", "9999-12-31T23:59:59Z", "0001-01-01"])
def test_what_is_no_date_ends_no_wait(value):
    wake = waits.around_date(
        arrived=utc("2026-03-01T12:00"), value=value, offset=parse_offset("P2D"), at=None, tz=NEW_YORK, speed=1
    )
    assert wake is None or wake.at == utc("2026-03-01T12:00")


def test_jitter_spreads_evenly_and_is_always_the_same_for_the_same_enrolment():
    most = timedelta(minutes=10)
    spread = [waits.jitter(number, most=most) for number in range(5000)]
    assert spread == [waits.jitter(number, most=most) for number in range(5000)]
    assert timedelta(0) <= min(spread) and max(spread) <= most
    for minute in range(10):
        share = sum(timedelta(minutes=minute) <= wait < timedelta(minutes=minute + 1) for wait in spread)
        assert 400 < share < 600
