"""ISO 8601 durations, of which calendar months, calendar days and elapsed hours are not the same thing. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta
from functools import lru_cache

_PATTERN = re.compile(
    r"P(?:(?P<weeks>\d{1,6})W|(?:(?P<years>\d{1,3})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?)",
)


class BadDuration(ValueError):
    """Not an ISO 8601 duration, or not of the units that are understood at its place."""


@dataclass(frozen=True)
class Duration:
    """`months` and `days` are of the calendar in somebody's time zone; `elapsed` is hours, minutes and seconds of
    physical time."""

    days: int
    elapsed: timedelta
    months: int = 0

    def total(self) -> timedelta:
        """The length when a day is taken as 24 hours: for windows, caps and decay, which have no months."""
        return timedelta(days=self.days) + self.elapsed


def parse_duration(text: str) -> Duration:
    """`P3D`, `PT72H`, `P1DT12H`, `P2W`. Months and years are refused: without a day to begin with, their length is
    nobody's guess. Raises BadDuration."""
    duration = parse_calendar(text)
    if duration.months:
        raise BadDuration(f"months and years have no fixed length: give weeks, days or hours instead of {text!r}")
    return duration


def parse_calendar(text: str) -> Duration:
    """Where a day is there to count from: `P1M` and `P1Y`, too. Raises BadDuration."""
    if not isinstance(text, str):
        raise BadDuration(f"expected an ISO 8601 duration such as P3D or PT72H, got {text!r}")
    return _read(text)


@lru_cache(maxsize=1024)  # the same few are asked for again for every contact that comes to a wait
def _read(text: str) -> Duration:
    match = _PATTERN.fullmatch(text)
    if match is None or text in {"P", "PT"} or text.endswith("T"):
        raise BadDuration(f"expected an ISO 8601 duration such as P3D or PT72H, got {text!r}")
    part = {name: int(value) for name, value in match.groupdict(default="0").items()}
    return Duration(
        days=part["weeks"] * 7 + part["days"],
        elapsed=timedelta(hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"]),
        months=part["years"] * 12 + part["months"],
    )


def parse_offset(text: str) -> Duration:
    """A calendar duration that may point backwards: `-P3D` is three days before. Raises BadDuration."""
    if isinstance(text, str) and text.startswith("-"):
        forwards = parse_calendar(text[1:])
        return Duration(days=-forwards.days, elapsed=-forwards.elapsed, months=-forwards.months)
    return parse_calendar(text)


def moved(day: date, duration: Duration) -> date:
    """The day that lies so many months, then so many days, from `day`. A month without such a day ends at its last:
    31 January and one month is 28 February. Raises OverflowError beyond the calendar."""
    years, month = divmod(day.year * 12 + day.month - 1 + duration.months, 12)
    if not MINYEAR <= years <= MAXYEAR:
        raise OverflowError("beyond the calendar")
    there = date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))
    return there + timedelta(days=duration.days)


def window(text: str, *, speed: float) -> timedelta:
    """A duration as a span of physical time, shortened when the installation runs faster than life."""
    return parse_duration(text).total() / speed
