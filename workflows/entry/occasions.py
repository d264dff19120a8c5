"""When a date that a contact has starts a workflow. Pure: the zone is an argument.

`offset` counts calendar days and months first, on the contact's own calendar, then elapsed hours. A local time that a
spring change skips is the first valid instant after it; one that an autumn change repeats is its first occurrence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contacts.durations import Duration, moved
from contacts.wall_clock import instant_of

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY = timedelta(days=1)
_MARGIN = 2 * _DAY  # zones, and the days that a clock change adds or takes


@dataclass(frozen=True)
class Rule:
    """What a trigger of kind `date` says."""

    offset: Duration
    at: time | None
    every_year: bool


@dataclass(frozen=True)
class Occasion:
    """`name`: the date that starts it (that of its year, where it returns), or its instant."""

    name: str
    due_at: datetime


def within(value: str, rule: Rule, *, tz: ZoneInfo, after: datetime, until: datetime) -> list[Occasion]:
    """The occasions of the date in `value` that fall due after `after`, and at `until` at the latest."""
    local = _local(value, tz)
    if local is None:
        return []
    if not rule.every_year:
        found = [_occasion(_name(value, local), local.date(), local.time(), rule, tz)]
    else:
        first, last = days(rule, after=after, until=until)
        years = range(max(first.year, local.year), last.year + 1)
        found = [_of_year(local, year, rule, tz) for year in years]
    return [each for each in found if each is not None and after < each.due_at <= until]


def named(value: str, rule: Rule, name: str, *, tz: ZoneInfo) -> Occasion | None:
    """The occasion of that name, if the date in `value` still has it."""
    local = _local(value, tz)
    if local is None:
        return None
    if not rule.every_year:
        return _occasion(name, local.date(), local.time(), rule, tz) if _name(value, local) == name else None
    year = name[:4]
    if not year.isdecimal() or int(year) < local.year:
        return None
    found = _of_year(local, int(year), rule, tz)
    return found if found is not None and found.name == name else None


def days(rule: Rule, *, after: datetime, until: datetime) -> tuple[date, date]:
    """From which day to which a date lies that may fall due then, whatever the zone."""
    shifts = [timedelta(days=rule.offset.days + rule.offset.months * days) + rule.offset.elapsed for days in (28, 31)]
    return _less(after, max(shifts) + _MARGIN), _less(until, min(shifts) - _MARGIN)


def days_of_the_year(first: date, last: date) -> list[str] | None:
    """`MM-DD` of the days from `first` to `last`, 29 February beside the 28th; None: all of the year."""
    if (last - first).days > 364:
        return None
    found = {(first + n * _DAY).isoformat()[5:] for n in range((last - first).days + 1)}
    return sorted(found | {"02-29"} if "02-28" in found else found)


def _less(at: datetime, span: timedelta) -> date:
    try:
        return (at - span).date()
    except OverflowError:
        return date.min if span > timedelta(0) else date.max


def _of_year(local: datetime, year: int, rule: Rule, tz: ZoneInfo) -> Occasion | None:
    try:
        day = local.date().replace(year=year)
    except ValueError:  # 29 February
        day = date(year, 2, 28)
    return _occasion(day.isoformat(), day, local.time(), rule, tz)


def _occasion(name: str, day: date, at: time, rule: Rule, tz: ZoneInfo) -> Occasion | None:
    try:
        return Occasion(name, instant_of(moved(day, rule.offset), rule.at or at, tz) + rule.offset.elapsed)
    except (ValueError, OverflowError):
        return None


def _local(value: str, tz: ZoneInfo) -> datetime | None:
    """On the clock of `tz`; None where it is no ISO 8601 date or instant."""
    text = value.strip()
    if not _DATE.match(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is None else found.astimezone(tz).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _name(value: str, local: datetime) -> str:
    """One spelling for all that mean the same."""
    text = value.strip()
    if _DATE.fullmatch(text):
        return text
    found = datetime.fromisoformat(text)
    return (local if found.tzinfo is None else found.astimezone(UTC)).isoformat()
