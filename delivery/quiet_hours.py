"""Quiet hours: when a message must not go out, on the clock of the person who would get it. Pure, but for reading JSON.

A message carries what its workflow said: {"from": "21:00", "to": "08:00", "policy": "defer" | "skip", "timezone": the
workflow's zone, or ""}. The zone is the contact's, else the workflow's, else the installation's. The hours end at the
first occurrence of `to`, or at the first valid instant where a spring change skips it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from contacts.wall_clock import choose_zone, instant_of

REASON = "quiet_hours"


@dataclass(frozen=True)
class Quiet:
    """It is quiet now, `until` then (UTC)."""

    policy: str  # defer · skip
    until: datetime
    zone: str


def quiet_now(hours: str | None, *, timezone: str, default: str, now: datetime) -> Quiet | None:
    """What a message's quiet hours (JSON, or none) say to a contact with this `timezone`; `default`: the
    installation's zone."""
    if hours is None:
        return None
    said = _read(hours)
    tz = choose_zone(timezone, said.get("timezone") or "", default)
    until = ends_at(now, start=time.fromisoformat(said["from"]), end=time.fromisoformat(said["to"]), tz=tz)
    return Quiet(said.get("policy") or "defer", until, tz.key) if until is not None else None


def ends_at(now: datetime, *, start: time, end: time, tz: ZoneInfo) -> datetime | None:
    """The end of the quiet hours that `now` lies in (UTC), or None. They go over midnight where `end` is the earlier;
    the start belongs to them, the end does not."""
    over_midnight = timedelta(days=1 if end <= start else 0)
    today = now.astimezone(tz).date()
    for day in (today - timedelta(days=1), today):
        begun, over = instant_of(day, start, tz), instant_of(day + over_midnight, end, tz)
        if begun <= now < over:
            return over
    return None


@lru_cache(maxsize=256)
def _read(hours: str) -> Mapping[str, str]:
    return json.loads(hours)
