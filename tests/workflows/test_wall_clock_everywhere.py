"""Nine o'clock is nine o'clock in every zone and around every change of its clocks from 2024 to 2032, by an oracle that
shares nothing with the product but the data: dateutil's reading of the pinned tzdata, and a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from dateutil.tz import tzfile

from workflows import waits

FROM, UNTIL = datetime(2024, 1, 1), datetime(2033, 1, 1)
AROUND = [timedelta(days=days) for days in range(-2, 3)]
TIMES = [time(0, 0), time(1, 30), time(2, 30), time(9, 0)]
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)

Changes = tuple[tuple[datetime, timedelta], ...]  # naive UTC from which on the clock is so far ahead, oldest first
Wait = Callable[[datetime, time, ZoneInfo], datetime]


@cache
def offsets(name: str) -> Changes:
    """Looked for week by week, and halved down to the minute: no clock is put forward and back within a week."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        zone = tzfile(data, name)

    def ahead(at: datetime) -> timedelta:
        return zone.fromutc(at.replace(tzinfo=zone)).replace(tzinfo=None) - at

    found = [(datetime.min, ahead(FROM - 4 * WEEK))]
    for week in range(-4, (UNTIL - FROM) // WEEK + 5):
        before, after = FROM + week * WEEK, FROM + (week + 1) * WEEK
        if ahead(after) == found[-1][1]:
            continue
        while after - before > timedelta(minutes=1):
            middle = before + (after - before) // 2
            before, after = (before, middle) if ahead(middle) != found[-1][1] else (middle, after)
        found.append((after.replace(second=0, microsecond=0), ahead(after)))
    return tuple(found)


def first_at(local: datetime, changes: Changes) -> datetime:
    """The first instant (naive UTC) at which the clock on the wall shows `local` or has been put past it."""
    for (since, ahead), (until, _) in zip(changes, [*changes[1:], (datetime.max, timedelta())], strict=True):
        at = max(local - ahead, since)
        if at < until:
            return at
    raise AssertionError("the last stretch has no end")


def expected(arrived: datetime, at: time, changes: Changes) -> datetime:
    ahead = next(ahead for since, ahead in reversed(changes) if since <= arrived)
    day: date = (arrived + ahead).date() - timedelta(days=1)
    while (found := first_at(datetime.combine(day, at), changes)) <= arrived:
        day += timedelta(days=1)
    return found


def cases() -> Iterator[tuple[str, datetime, time]]:
    """Every zone with another history; around each of its changes, and in any summer and winter where it has none."""
    seen: set[Changes] = set()
    for name in files("tzdata").joinpath("zones").read_text(encoding="utf-8").split():  # not the machine's
        if (changes := offsets(name)) in seen:
            continue
        seen.add(changes)
        around = [change for change, _ in changes[1:] if FROM <= change < UNTIL]
        for change in around or [datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12)]:
            for apart in AROUND:
                for at in TIMES:
                    yield name, change + apart, at
                    yield name, change + apart - HOUR, at


def ours(arrived: datetime, at: time, zone: ZoneInfo) -> datetime:
    wake = waits.next_local_time(arrived=arrived.replace(tzinfo=UTC), at=at, weekday=None, tz=zone, speed=1)
    return wake.at.astimezone(UTC).replace(tzinfo=None)


def wrong(wait: Wait) -> tuple[int, list[tuple[str, datetime, time]]]:
    every = list(cases())
    found = [
        (name, arrived, at)
        for name, arrived, at in every
        if wait(arrived, at, ZoneInfo(name)) != expected(arrived, at, offsets(name))
    ]
    return len(every), found


def test_a_local_wait_ends_where_the_oracle_says_around_every_change_of_every_clock():
    count, found = wrong(ours)
    assert found[:5] == [] and count > 20_000


def a_day_is_24_hours(arrived: datetime, at: time, zone: ZoneInfo) -> datetime:
    local = arrived.replace(tzinfo=UTC).astimezone(zone)
    today = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0).astimezone(UTC).replace(tzinfo=None)
    return today if today > arrived else today + timedelta(hours=24)


def the_second_of_two(arrived: datetime, at: time, zone: ZoneInfo) -> datetime:
    day = arrived.replace(tzinfo=UTC).astimezone(zone).date() - timedelta(days=1)
    while True:
        found = datetime.combine(day, at, zone).replace(fold=1).astimezone(UTC).replace(tzinfo=None)
        if found > arrived:
            return found
        day += timedelta(days=1)


def test_the_oracle_finds_the_usual_mistakes():
    for mistake in (a_day_is_24_hours, the_second_of_two):
        _, found = wrong(mistake)
        assert len(found) > 500, mistake.__name__
