"""How far a chain of journeys has come: a journey that emits an event, which starts a journey, which emits … would go
round for ever. `via` names the journeys that led here, the last one last; it travels with the entry request, or in the
context of our own events, into `trigger.via`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 10  # journeys in a row; then a step that would start another one says so in the journal, and goes on


def via(trigger: Mapping[str, Any]) -> tuple[str, ...]:
    """The slugs of the journeys that led to this enrolment, the first one first."""
    return read(trigger.get("via"))


def read(stored: Any) -> tuple[str, ...]:
    """The same of what stands in a context; nothing where it is not a list of texts."""
    return tuple(stored) if isinstance(stored, list) and all(isinstance(slug, str) for slug in stored) else ()


def onward(trigger: Mapping[str, Any], slug: str) -> list[str] | None:
    """What to give to whatever the journey `slug` starts; None where the chain is long enough."""
    so_far = via(trigger)
    return None if len(so_far) >= MOST else [*so_far, slug]
