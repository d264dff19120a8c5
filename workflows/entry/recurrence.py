"""When something that returns by the calendar happens next: RFC 5545's RRULE on the clock of a zone. Pure.

Rules as for waits: an occurrence that a spring change skips comes at the first valid instant after the gap, one that an
autumn change repeats at its first occurrence. Nothing returns more often than hourly, and no search is a long one: an
occurrence that does not come within ten years does not come, and the search for it takes place four centuries before
the end of the calendar (the Gregorian one repeats itself every 400 years), where it must end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from contacts.wall_clock import instant_of

LONGEST = 500  # characters
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"}
    | {"BYSETPOS", "BYHOUR", "BYMINUTE", "BYSECOND"}
)
FARTHEST = timedelta(days=3660)
_CYCLES = 7600  # years: 19 times 400
FIRST_YEAR, LAST_YEAR = 2000, 2100
_START = re.compile(r"DTSTART:(\d{8}T\d{6})")
_SAMPLE = datetime(2384, 1, 1)  # to try a rule that says no beginning: sixteen years before the search must end
_MOST_INTERVAL, _MOST_COUNT = 1000, 100_000


class BadRecurrence(ValueError):
    """Not a rule that can be followed; the message says why."""


@dataclass(frozen=True)
class Recurrence:
    """`rule`: the parts of the RRULE but COUNT and UNTIL. `until`: the last instant, in the zone's own time or, where
    `until_utc`, in UTC. `start`: the DTSTART, in the zone's own time."""

    rule: str
    frequency: str
    count: int | None
    until: datetime | None
    until_utc: bool
    start: datetime | None


def parse(text: str) -> Recurrence:
    """Read `FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0`, perhaps with `RRULE:` before it and a line `DTSTART:…` above.
    Raises BadRecurrence."""
    if len(text) > LONGEST:
        raise BadRecurrence(f"a rule has at most {LONGEST} characters")
    lines = [line.strip() for line in text.strip().upper().splitlines() if line.strip()]
    start = None
    if lines and lines[0].startswith("DTSTART"):
        start = _start(lines.pop(0))
    if len(lines) != 1:
        raise BadRecurrence("expected one rule, such as FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0")
    parts = _parts(lines[0].removeprefix("RRULE:"))
    frequency = parts.get("FREQ", "")
    if frequency not in FREQUENCIES:
        raise BadRecurrence(f"FREQ is one of {', '.join(FREQUENCIES)}")
    count = _number(parts.pop("COUNT", ""), "COUNT", most=_MOST_COUNT)
    _number(parts.get("INTERVAL", ""), "INTERVAL", most=_MOST_INTERVAL)
    for name in ("BYMINUTE", "BYSECOND"):
        if "," in parts.get(name, ""):
            raise BadRecurrence(f"{name} has one value: nothing returns more often than hourly")
    until = parts.pop("UNTIL", "")
    if until and count:
        raise BadRecurrence("say either COUNT or UNTIL")
    found = Recurrence(
        rule=";".join(f"{name}={value}" for name, value in parts.items()),
        frequency=frequency,
        count=count,
        until=_until(until) if until else None,
        until_utc=until.endswith("Z"),
        start=start,
    )
    endless = Recurrence(found.rule, frequency, None, None, False, start)
    try:
        first = next(_local(endless, start or _SAMPLE, until=None), None)
    except (ValueError, TypeError, IndexError, OverflowError, ArithmeticError) as error:
        raise BadRecurrence("this rule cannot be read: see RFC 5545, section 3.3.10") from error
    if first is None:
        raise BadRecurrence("this rule never comes true within ten years")
    return found


def occurrences(rule: Recurrence, *, published_at: datetime, after: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """The instants (UTC) strictly after `after`, in order; without a DTSTART counted from `published_at`. Ends where
    the rule does, or when nothing comes for ten years."""
    start = rule.start or published_at.astimezone(tz).replace(tzinfo=None, microsecond=0)
    until = rule.until
    if until is not None and rule.until_utc:
        until = until.replace(tzinfo=UTC).astimezone(tz).replace(tzinfo=None)
    earliest = after.astimezone(tz).replace(tzinfo=None) - timedelta(days=2)
    try:
        found = _local(rule, start, until=until, around=earliest)
    except ValueError:
        return  # counted from this hour, every second one never is the hour that the rule names
    for local in found:
        if local < earliest:
            continue
        instant = instant_of(local.date(), local.time(), tz)
        if instant > after:
            yield instant


def next_after(rule: Recurrence, *, published_at: datetime, after: datetime, tz: ZoneInfo) -> datetime | None:
    return next(occurrences(rule, published_at=published_at, after=after, tz=tz), None)


def _local(
    rule: Recurrence, start: datetime, *, until: datetime | None, around: datetime | None = None
) -> Iterator[datetime]:
    """Occurrences on the clock, from `start` to ten years after the later of `start` and `around`."""
    end = max(start, around or start) + FARTHEST
    found = rrulestr(rule.rule, dtstart=_years(start, _CYCLES))
    if not isinstance(found, rrule):
        raise BadRecurrence("expected one rule")
    bounded = found.replace(until=_years(end if until is None else min(end, until), _CYCLES))
    return (_years(local, -_CYCLES) for local in islice(iter(bounded), rule.count))


def _years(at: datetime, years: int) -> datetime:
    """So many years later, which is a multiple of 400: the same day of the week, and of a leap year if it was."""
    return at.replace(year=at.year + years)


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip(";").split(";"):
        name, _, value = part.partition("=")
        if name not in PARTS or not value or name in parts:
            raise BadRecurrence(f"{part[:40]!r} is no part of a rule, or is there twice")
        parts[name] = value
    return parts


def _number(text: str, name: str, *, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise BadRecurrence(f"{name} is a whole number from 1 to {most:,}")
    return int(text)


def _start(line: str) -> datetime:
    match = _START.fullmatch(line)
    if match is None:
        raise BadRecurrence("DTSTART is local time, as in DTSTART:20270131T090000; the zone is the workflow's")
    return _instant(match[1], "DTSTART")


def _until(text: str) -> datetime:
    text = text.removesuffix("Z")
    return _instant(text if "T" in text else f"{text}T235959", "UNTIL")


def _instant(text: str, name: str) -> datetime:
    try:
        found = datetime.strptime(text, "%Y%m%dT%H%M%S")
    except ValueError as error:
        raise BadRecurrence(f"{name} is not an instant such as 20270131T090000") from error
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadRecurrence(f"{name} lies between {FIRST_YEAR} and {LAST_YEAR}")
    return found
