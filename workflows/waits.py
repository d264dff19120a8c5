"""When a wait ends. Pure: the clock, the zone and the speed are arguments; conversion happens here and nowhere else,
with the pinned tzdata.

Rules: a local time that a spring change skips becomes the first valid instant after the gap; a local time that an
autumn change repeats becomes its first occurrence; "at 09:00" is strictly after the arrival."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contacts.durations import Duration

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Wake:
    """When to look again, and the wall-clock intent behind it (kept in the journal, so that a change of the time zone
    database can re-derive it)."""

    at: datetime  # UTC
    intent: dict[str, str]


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The zone of that IANA name, or None where there is none: never an exception in the engine."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def choose_zone(*names: str) -> ZoneInfo:
    """The first valid one: contact, workflow, installation; else UTC."""
    for name in names:
        found = zone(name)
        if found is not None:
            return found
    return ZoneInfo("UTC")


def instant_of(day: date, at: time, tz: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time: first occurrence in a fold, first valid instant after a gap."""
    naive = datetime.combine(day, at)
    instant = naive.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == naive:
        return instant
    # In a gap: fold=0 uses the offset before the change and fold=1 the one after it; the change lies between the two.
    early, late = naive.replace(tzinfo=tz, fold=1).astimezone(UTC), instant
    before = early.astimezone(tz).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(tz).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)  # changes happen on whole seconds, and this one lies in (early, late]


def after_duration(*, arrived: datetime, duration: Duration, tz: ZoneInfo, speed: float) -> Wake:
    """`P3D` is three calendar days in the contact's zone (nine o'clock stays nine o'clock), `PT72H` is elapsed time."""
    target = arrived
    if duration.days:
        local = arrived.astimezone(tz)
        target = instant_of(local.date() + timedelta(days=duration.days), local.time(), tz)
    target += duration.elapsed
    return Wake(at=faster(arrived, target, speed), intent={"zone": tz.key} if duration.days else {})


def next_local_time(*, arrived: datetime, at: time, weekday: int | None, tz: ZoneInfo, speed: float) -> Wake:
    """The first `at` o'clock (on `weekday`, Monday is 0) in `tz` strictly after `arrived`."""
    day = arrived.astimezone(tz).date()
    while True:
        target = instant_of(day, at, tz)
        if target > arrived and (weekday is None or day.weekday() == weekday) and _exists(day, tz):
            intent = {"local_date": day.isoformat(), "local_time": at.isoformat("minutes"), "zone": tz.key}
            return Wake(at=faster(arrived, target, speed), intent=intent)
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
        day = local.date() + timedelta(days=offset.days)
        target = instant_of(day, at or local.time(), tz) + offset.elapsed
    except (ValueError, OverflowError):
        return None
    intent = {"date": value[:40], "zone": tz.key, "local_date": day.isoformat()}
    if at is not None:
        intent["local_time"] = at.isoformat("minutes")
    return Wake(at=faster(arrived, max(arrived, target), speed), intent=intent)


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
