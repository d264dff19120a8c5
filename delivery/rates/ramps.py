"""How much a new domain may send on each of its first days. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

FIRST, LAST = 50, 100_000  # messages on the first day, and on the last one
LONGEST = 90  # days
MOST = 10_000_000  # messages a day
WORST_COMPLAINTS, WORST_BOUNCES = 0.001, 0.02  # of what was delivered, and of what was tried
SAMPLE_SHARE, LEAST_SAMPLE = 0.5, 20  # of a day's allowance must have been sent, and heard of, before the next step
FARTHEST = 1000 * 365 * 86400  # seconds: the calendar ends where time runs very much faster


class BadRamp(ValueError):
    """No schedule that a domain can be warmed up by; the text says why."""


@dataclass(frozen=True)
class Day:
    """What was reported of a domain's marketing mail on a day."""

    delivered: int = 0
    hard_bounces: int = 0
    complaints: int = 0


def ramp(days: int) -> tuple[int, ...]:
    """From FIRST to LAST, each day the same factor more."""
    factor = (LAST / FIRST) ** (1 / (days - 1))
    return tuple(round(FIRST * factor**day) for day in range(days))


RAMPS: Mapping[str, tuple[int, ...]] = {"quick": ramp(14), "steady": ramp(21), "careful": ramp(28)}
DEFAULT = "steady"


def checked(steps: Sequence[int]) -> list[int]:
    """A schedule of somebody's own. Raises BadRamp."""
    given = list(steps)
    if not 1 <= len(given) <= LONGEST:
        raise BadRamp(f"a warm-up takes 1 to {LONGEST} days")
    if not all(isinstance(step, int) and not isinstance(step, bool) and 1 <= step <= MOST for step in given):
        raise BadRamp(f"each day's allowance is a whole number from 1 to {MOST:,}")
    if given != sorted(given):
        raise BadRamp("no day's allowance may be less than that of the day before")
    return given


def why_not_on(allowance: int, claimed: int, day: Day) -> str:
    """Why a domain stays at its step after such a day, in words for people; empty: it goes on.

    Mailbox providers trust what they have seen: a day on which hardly anything was sent, or of which nothing was heard,
    is none that proves anything."""
    needed = max(1, round(allowance * SAMPLE_SHARE))
    if claimed < needed:
        return f"only {claimed:,} of {allowance:,} were sent"
    tried = day.delivered + day.hard_bounces
    if tried < min(LEAST_SAMPLE, needed):
        return f"only {tried:,} of {claimed:,} were reported on"
    if day.hard_bounces >= WORST_BOUNCES * tried and day.hard_bounces:
        return f"{100 * day.hard_bounces / tried:.1f} % bounced for good ({100 * WORST_BOUNCES:g} % is too many)"
    if day.complaints and day.complaints >= WORST_COMPLAINTS * max(day.delivered, 1):
        share = 100 * day.complaints / max(day.delivered, 1)
        return f"{share:.2f} % were reported as spam ({100 * WORST_COMPLAINTS:g} % is too many)"
    return ""


def day_of(now: datetime, *, zone: ZoneInfo, since: datetime, speed: float) -> date:
    """The calendar day that `now` lies in. Where time runs faster, days do, counted `since` the domain is known."""
    return _in_its_own_time(now, since=since, speed=speed).astimezone(zone).date()


def begins_at(day: date, *, zone: ZoneInfo, since: datetime, speed: float) -> datetime:
    """When such a day begins."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return since + (midnight - since) / speed


def _in_its_own_time(now: datetime, *, since: datetime, speed: float) -> datetime:
    return since + timedelta(seconds=min((now - since).total_seconds() * speed, FARTHEST))
