"""When a wait ends. Pure: the clock, the zone and the speed are arguments; conversion happens here and nowhere else,
with the pinned tzdata.

Rules: a local time that a spring change skips becomes the first valid instant after the gap; a local time that an
autumn change repeats becomes its first occurrence; "at 09:00" is strictly after the arrival."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tzdata import IANA_VERSION

from contacts.durations import Duration, moved
from contacts.wall_clock import instant_of, zone

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Wake:
    """When to look again, and the wall-clock intent behind it (kept in the journal, so that a change of the time zone
    database can re-derive it)."""

    at: datetime  # UTC
    intent: dict[str, str]


def after_duration(*, arrived: datetime, duration: Duration, tz: ZoneInfo, speed: float) -> Wake:
    """`P3D` is three calendar days in the contact's zone (nine o'clock stays nine o'clock), `PT72H` is elapsed time.
    A month from 31 January is the last day of February; two months are counted from January, not from there."""
    if not duration.days and not duration.months:
        return Wake(at=faster(arrived, arrived + duration.elapsed, speed), intent={})
    local = arrived.astimezone(tz)
    day = moved(local.date(), duration)
    target = instant_of(day, local.time(), tz) + duration.elapsed
    return Wake(at=faster(arrived, target, speed), intent=_wall(day, local.time(), tz, duration.elapsed))


def next_local_time(*, arrived: datetime, at: time, weekday: int | None, tz: ZoneInfo, speed: float) -> Wake:
    """The first `at` o'clock (on `weekday`, Monday is 0) in `tz` strictly after `arrived`."""
    day = arrived.astimezone(tz).date()
    while True:
        target = instant_of(day, at, tz)
        if target > arrived and (weekday is None or day.weekday() == weekday) and _exists(day, tz):
            return Wake(at=faster(arrived, target, speed), intent=_wall(day, at, tz))
        day += timedelta(days=1)


def at_instant(*, arrived: datetime, target: datetime, speed: float) -> Wake:
    """That instant; one that is past ends the wait at once."""
    return Wake(at=faster(arrived, max(arrived, target), speed), intent={})


def around_date(
    *, arrived: datetime, value: str, offset: Duration, at: time | None, tz: ZoneInfo, speed: float
) -> Wake | None:
    """So long before or after a date that somebody has: three days before `renewal` at nine. None where `value` is no
    date; one that is past ends the wait at once.

    `value`: a date, or an instant (without a zone: on the clock of `tz`). Its days are counted on the calendar of `tz`;
    `at` sets the time of the day, otherwise it stays what it is, midnight for a date."""
    try:
        local = datetime.fromisoformat(value.strip())
        if local.tzinfo is not None:
            local = local.astimezone(tz).replace(tzinfo=None)
        day = moved(local.date(), offset)
        clock = at or local.time()
        target = instant_of(day, clock, tz) + offset.elapsed
    except (ValueError, OverflowError):
        return None
    intent = {"date": value[:40], **_wall(day, clock, tz, offset.elapsed)}
    return Wake(at=faster(arrived, max(arrived, target), speed), intent=intent)


def _wall(day: date, at: time, tz: ZoneInfo, elapsed: timedelta = timedelta(0)) -> dict[str, str]:
    """What was meant, on the clock of a wall."""
    intent = {"local_date": day.isoformat(), "local_time": at.isoformat(), "zone": tz.key, "tzdb": IANA_VERSION}
    return {**intent, "plus_seconds": str(elapsed.total_seconds())} if elapsed else intent


def instant_meant(intent: Mapping[str, str]) -> datetime | None:
    """The instant that an intent means by the time zone data of today; None where it means no time on a wall."""
    tz = zone(intent.get("zone", ""))
    if tz is None or "local_date" not in intent:
        return None
    day, at = date.fromisoformat(intent["local_date"]), time.fromisoformat(intent["local_time"])
    plus = float(intent.get("plus_seconds", 0)) + float(intent.get("jitter", 0))
    return instant_of(day, at, tz) + timedelta(seconds=plus)


def later(wake: Wake, *, by: timedelta, speed: float) -> Wake:
    """The same wake, put off."""
    return Wake(at=wake.at + by / speed, intent={**wake.intent, "jitter": str(int(by.total_seconds()))})


def jitter(enrolment_id: int, *, most: timedelta) -> timedelta:
    """Up to `most`, in whole seconds: always the same for the same enrolment, spread evenly over many of them."""
    seconds = int(most.total_seconds())
    digest = hashlib.blake2b(str(enrolment_id).encode(), digest_size=8).digest()
    return timedelta(seconds=int.from_bytes(digest) % (seconds + 1))


def _exists(day: date, tz: ZoneInfo) -> bool:
    """Not every date does: Samoa went from 29 to 31 December 2011."""
    return instant_of(day, time(0), tz).astimezone(tz).date() == day


def faster(arrived: datetime, target: datetime, speed: float) -> datetime:
    """The target, brought nearer when the installation runs faster than life."""
    return target if speed == 1 else arrived + (target - arrived) / speed
