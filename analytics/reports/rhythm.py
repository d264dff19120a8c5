"""When a report goes out: at an hour of somebody's clock, every day, week or month. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from contacts.wall_clock import choose_zone, instant_of

DAY, WEEK, MONTH = "day", "week", "month"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAST_DAY = {DAY: 1, WEEK: 7, MONTH: 28}  # a month's 29th is not in every one
_LOOKED_AT = 35  # days; a month has passed by then


@dataclass(frozen=True)
class Rhythm:
    """`on_day`: of the week (1: Monday) or of the month, no matter where it is every day. An unknown `timezone` is
    UTC."""

    every: str
    on_day: int
    at_hour: int
    timezone: str


def next_after(rhythm: Rhythm, at: datetime) -> datetime:
    """The first instant of the rhythm that is later than `at`. An hour that a spring change skips is the first valid
    instant after the gap; of one that an autumn change repeats, the first."""
    zone = choose_zone(rhythm.timezone)
    first = at.astimezone(zone).date() - timedelta(days=1)
    for days in range(_LOOKED_AT + 2):
        day = first + timedelta(days=days)
        is_its_day = {DAY: True, WEEK: day.isoweekday() == rhythm.on_day, MONTH: day.day == rhythm.on_day}
        instant = instant_of(day, time(rhythm.at_hour), zone)
        if is_its_day[rhythm.every] and instant > at:
            return instant
    raise AssertionError("every rhythm comes round within a month")


def words(rhythm: Rhythm) -> str:
    """`every Monday at 08:00 (Europe/Berlin)`"""
    when = {
        DAY: "every day",
        WEEK: f"every {WEEKDAYS[(rhythm.on_day - 1) % 7]}",
        MONTH: f"on day {rhythm.on_day} of every month",
    }
    return f"{when[rhythm.every]} at {rhythm.at_hour:02d}:00 ({rhythm.timezone})"
