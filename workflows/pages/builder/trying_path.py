"""What came of a try, in words and on the person's own clock. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from contacts import personal
from workflows.builder import ports
from workflows.builder.layout.graph import TRIGGER
from workflows.builder.operations.change import name_of
from workflows.definition.sentences import mapping
from workflows.rehearsal.telling import span
from workflows.steps import registry
from workflows.wording import WAITS

SHORT = {
    "went": ("check", ""),
    "skipped": ("block", "skipped"),
    "waits": ("hourglass_top", "still waits"),
    "left": ("logout", "leaves"),
    "failed": ("error", "fails"),
}


@dataclass(frozen=True)
class Stop:
    """A card that was passed. `at`, `until`: on the person's clock, with the zone. `mark`: the little that fits on the
    card, `title` all of it."""

    step: str
    name: str
    kind: str
    icon: str
    at: str
    utc: str
    said: str
    more: tuple[str, ...]
    tone: str
    mark: str
    title: str


@dataclass(frozen=True)
class Path:
    contact: str
    zone: str
    zone_is_theirs: bool
    entered: bool
    answer: str
    notes: tuple[str, ...]
    stops: tuple[Stop, ...]
    said: str


def path(told: Mapping[str, Any], definition: Mapping[str, Any], *, now: datetime) -> Path:
    """`now`: when they entered; of that year no year is said on the cards."""
    zone = ZoneInfo(told["zone"])
    stops = tuple(_stop(stop, definition, zone) for stop in told["stops"])
    return Path(
        contact=personal.address(told["contact"]),
        zone=told["zone"],
        zone_is_theirs=told["zone_is_theirs"],
        entered=told["entered"],
        answer=told["answer"],
        notes=tuple(told["notes"]),
        stops=stops,
        said=f"{told['answer']} {len(stops) - 1} steps." if told["entered"] else told["answer"],
    )


def _stop(stop: Mapping[str, Any], definition: Mapping[str, Any], zone: ZoneInfo) -> Stop:
    key = str(stop["step"])
    step = mapping(ports.steps_of(definition).get(key))
    kind = registry.find(str(step.get("type")))
    at = datetime.fromisoformat(stop["at"])
    said, more = _words(stop, step, zone)
    icon, short = SHORT[stop["tone"]]
    if said == "Would be sent":
        short = "would be sent"
    shown = _instant(_moved(stop) or at, zone)
    mark = f"{_short(_moved(stop) or at, zone)}{f' · {short}' if short else ''}"
    return Stop(
        step=key,
        name="Trigger" if key == TRIGGER else name_of(definition, key),
        kind="" if key == TRIGGER or kind is None else kind.label,
        icon=icon,
        at=_instant(at, zone),
        utc=f"{at:%-d %b %Y, %H:%M} UTC",
        said=said,
        more=tuple(more),
        tone=str(stop["tone"]),
        mark=mark,
        title=f"{shown}. {said}",
    )


def _words(stop: Mapping[str, Any], step: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, list[str]]:
    said, more = str(stop["said"]), [*stop["more"], *(f"{asked}: {_read(value)}" for asked, value in stop["read"])]
    if put_off := stop.get("put_off"):
        more = [f"{each} until {_instant(datetime.fromisoformat(put_off), zone)}" for each in more]
    if sent_at := stop.get("sent_at"):
        more.append(f"Would go out at {_instant(datetime.fromisoformat(sent_at), zone)}")
    if stop["until"] and str(step.get("type")) in WAITS:
        at, until = datetime.fromisoformat(stop["at"]), datetime.fromisoformat(stop["until"])
        last = more[:1] if str(step.get("type")) != "wait" else []
        return f"Waits {span((until - at).total_seconds()).removesuffix(' 0 min')}, until {_instant(until, zone)}", [
            *last,
            *more[1:],
        ]
    caption = ports.caption(step, str(stop["port"])) if stop["port"] else ""
    if caption and stop["tone"] == "went":
        return f"Goes “{caption}”", more
    return said, more


def _read(value: Any) -> str:
    """What a condition read of the person, which not everybody may see."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing is known"
    if not personal.may_be_seen():
        return "…"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moved(stop: Mapping[str, Any]) -> datetime | None:
    """When a message that was put off goes out."""
    sent_at = stop.get("sent_at")
    return datetime.fromisoformat(sent_at) if sent_at else None


def _instant(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %-d %b %Y, %H:%M} {_place(zone)}"


def _short(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %-d %b, %H:%M} {_place(zone)}"


def _place(zone: ZoneInfo) -> str:
    """`Europe/Berlin` -> `Berlin`."""
    return zone.key.rsplit("/", 1)[-1].replace("_", " ")
