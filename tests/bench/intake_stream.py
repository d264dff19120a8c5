"""The data of intake's bench: the same events for everybody, and what has to come of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TRIGGER = "signed_up"
_TYPES = (TRIGGER, "page_viewed", "page_viewed", "order_completed", "page_viewed", "cart_changed", "page_viewed",
          "order_completed", "page_viewed", "cart_changed")  # fmt: skip
AWAITED = _TYPES.count(TRIGGER) / len(_TYPES)  # the share of the events that are of the type that starts the journey
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def definition() -> dict[str, Any]:
    """A journey that one event in ten may start; nobody advances in it here."""
    return {
        "schema": 1,
        "name": "Bench of intake",
        "slug": "bench-intake",
        "entry": {"trigger": {"type": "event", "event": TRIGGER}},
        "start": "pause",
        "steps": {"pause": {"type": "wait", "config": {"mode": "duration", "for": "P1D"}, "next": {"next": None}}},
    }


def elements(first: int, count: int, *, people: int) -> Iterator[dict[str, Any]]:
    """Events as `POST /api/v1/events` takes them: one in twenty comes twice, one in a hundred is of somebody new."""
    for n in range(first, first + count):
        said = n - 3 if n % 20 == 7 else n  # sent again
        yield {
            "event_id": f"bench-event-{said}",
            "type": _TYPES[said % len(_TYPES)],
            "contact": {"external_id": f"new-{said}" if said % 100 == 50 else f"bench-{1 + said * 7919 % people}"},
            "properties": {
                "path": f"/pricing/{said % 40}",
                "plan": ("free", "trial", "pro")[said % 3],
                "total": said % 997 + 0.5,
                "items": said % 5,
                "returning": said % 2 == 0,
            },
            "context": {"ip": "192.0.2.7", "user_agent": _AGENT, "locale": "en-GB"},
        }


@dataclass(frozen=True)
class Outcome:
    """How many events are to be stored, and how many contacts are to be enrolled."""

    stored: int
    enrolled: int


def outcome(first: int, count: int, *, people: int) -> Outcome:
    seen = {element["event_id"]: element for element in elements(first, count, people=people)}
    starters = {each["contact"]["external_id"] for each in seen.values() if each["type"] == TRIGGER}
    return Outcome(stored=len(seen), enrolled=len(starters))


def bodies(first: int, count: int, batch: int, *, people: int) -> list[bytes]:
    """The same events as request bodies of `batch` events each."""
    return [
        json.dumps({"events": list(elements(start, min(batch, first + count - start), people=people))}).encode()
        for start in range(first, first + count, batch)
    ]
