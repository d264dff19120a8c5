"""Clocks on walls: whose zone counts, and which instant a local time is. Pure, with the pinned tzdata.

A local time that a spring change skips is the first valid instant after the gap; one that an autumn change repeats is
its first occurrence."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


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
