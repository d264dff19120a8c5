"""A date, a time and their zone. What is stored is the instant (2027-01-31T09:00:00+01:00): of the zone's name only how
far it was from UTC on that day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from django.conf import settings
from django.http import QueryDict

from contacts import wall_clock, zones
from workflows.builder.forms.control import ABSENT, Control, Field, nothing

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)")


class Instant(Control):
    key = "instant"
    template = "instant.html"
    frame = "group"
    stand_in = "text"

    def fits(self, value: Any) -> bool:
        if nothing(value):
            return True
        found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        return found is not None and found[3] in (None, "00") and _is_instant(found[0])

    def context(self, field: Field) -> Mapping[str, Any]:
        found = _INSTANT.fullmatch(field.value) if isinstance(field.value, str) else None
        return {
            "date": found[1] if found else "",
            "time": found[2] if found else "",
            "short": found is not None and found[3] is None,  # it says no seconds, and goes on saying none
            "zone": _zone_of(found[4]) if found else settings.DEFAULT_TIMEZONE,
            "zones": sorted(zones.known()),
        }

    def read(self, data: QueryDict, name: str) -> Any:
        day, clock, zone = (data.get(f"{name}:{part}", "").strip() for part in ("date", "time", "zone"))
        if not day and not clock:
            return ABSENT
        seconds = "" if data.get(f"{name}:short") else ":00"
        if re.fullmatch(r"(UTC)?[+-]\d\d:\d\d", zone):
            return f"{day}T{clock}{seconds}{zone.removeprefix('UTC')}"
        known = wall_clock.zone(zone)
        if zone == "UTC" or known is None:
            return f"{day}T{clock}{seconds}{'Z' if zone == 'UTC' else zone}"
        try:
            there = wall_clock.instant_of(date.fromisoformat(day), time.fromisoformat(clock), known).astimezone(known)
        except (ValueError, OverflowError):
            return f"{day}T{clock}{seconds}"
        return there.isoformat(timespec="seconds")


def _zone_of(suffix: str) -> str:
    return "UTC" if suffix == "Z" else f"UTC{suffix}"


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
