"""Schedules of warm-up, and whether a day was good enough for the next step."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.rates import ramps
from delivery.rates.ramps import Day

BERLIN = ZoneInfo("Europe/Berlin")
SINCE = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("name", "days"), [("quick", 14), ("steady", 21), ("careful", 28)])
def test_the_schedules_take_two_to_four_weeks_and_only_rise(name, days):
    steps = ramps.RAMPS[name]
    assert len(steps) == days and steps[0] == 50 and steps[-1] == 100_000
    assert all(later > earlier for earlier, later in itertools.pairwise(steps))
    assert max(later / earlier for earlier, later in itertools.pairwise(steps)) < 2


@pytest.mark.parametrize("steps", [[], [0], [-5], [10, 5], [True], [1.5], ["10"], [1] * 91, [10_000_001]])
def test_a_schedule_that_is_none_is_refused(steps):
    with pytest.raises(ramps.BadRamp):
        ramps.checked(steps)


@pytest.mark.parametrize(
    ("allowance", "claimed", "day", "why"),
    [
        (100, 100, Day(delivered=98, hard_bounces=1), ""),
        (100, 50, Day(delivered=50), ""),
        (100, 49, Day(delivered=49), "only 49 of 100 were sent"),
        (100, 0, Day(), "only 0 of 100 were sent"),
        (100, 100, Day(delivered=5), "only 5 of 100 were reported on"),
        (100, 100, Day(delivered=95, hard_bounces=2), "2.1 % bounced for good (2 % is too many)"),
        (1000, 1000, Day(delivered=1000, complaints=1), "0.10 % were reported as spam (0.1 % is too many)"),
        (2000, 2000, Day(delivered=2000, complaints=1), ""),
        (1, 1, Day(delivered=1), ""),
    ],
)
def test_a_domain_goes_on_after_a_good_day_only(allowance, claimed, day, why):
    assert ramps.why_not_on(allowance, claimed, day) == why


def test_a_day_is_one_of_the_installations_zone():
    assert ramps.day_of(datetime(2026, 3, 4, 22, 59, tzinfo=UTC), zone=BERLIN, since=SINCE, speed=1) == date(2026, 3, 4)
    assert ramps.day_of(datetime(2026, 3, 4, 23, 1, tzinfo=UTC), zone=BERLIN, since=SINCE, speed=1) == date(2026, 3, 5)


def test_where_time_runs_faster_days_are_shorter():
    """A thousand times: a day in 86 seconds."""
    later = SINCE + timedelta(seconds=86.4 * 3)
    assert ramps.day_of(later, zone=BERLIN, since=SINCE, speed=1000) == date(2026, 3, 7)


@given(
    seconds=st.floats(0, 400 * 86400),
    speed=st.sampled_from([1.0, 60.0, 1000.0, 86400.0]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago"]),
)
def test_an_instant_lies_between_the_beginnings_of_its_day_and_of_the_next(seconds, speed, zone):
    tz, now = ZoneInfo(zone), SINCE + timedelta(seconds=seconds / speed)
    day = ramps.day_of(now, zone=tz, since=SINCE, speed=speed)
    begins = ramps.begins_at(day, zone=tz, since=SINCE, speed=speed)
    ends = ramps.begins_at(day + timedelta(days=1), zone=tz, since=SINCE, speed=speed)
    slack = timedelta(microseconds=2)
    assert begins - slack <= now < ends + slack


def test_no_clock_runs_out_however_fast_it_is():
    ramps.day_of(SINCE + timedelta(days=3000), zone=BERLIN, since=SINCE, speed=1e6)
