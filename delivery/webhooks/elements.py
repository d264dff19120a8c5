"""Pieces of a vendor's body, of which any may be anything. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from delivery.webhooks.base import Reading, Report

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST = 1000  # characters kept of a text


class Unread(ValueError):
    """A body of which nothing can be read."""


def parsed(body: bytes) -> Any:
    """The JSON of a body. Raises Unread."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unread("the body is not JSON") from error


def listed(value: Any) -> list[Any]:
    """The elements of a list, or the one object that stands alone. Raises Unread."""
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise Unread("the body is not a list")
    return value


def reading(elements: Callable[[], Sequence[Any]], read: Callable[[Any], Iterable[Report]]) -> Reading:
    """Read each element by itself: one that cannot be read harms no other, whatever is wrong with it."""
    try:
        found = elements()
    except Unread as error:
        return Reading(unread=(str(error),))
    reports: list[Report] = []
    unread: list[str] = []
    for position, element in enumerate(found):
        try:
            reports += list(read(element))
        except Exception:  # the words of others, and a package's idea of them: nothing they do may cost the rest
            unread.append(f"element {position} is not an event")
    return Reading(reports, unread)


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one in its place."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """A text or a number as text that PostgreSQL takes; anything else is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        found = str(value)
    except ValueError:  # an integer of thousands of digits
        return ""
    return found[:LONGEST].replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def kept(element: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of these that say something, as text."""
    return {name: found for name in names if (found := text(element.get(name)))}


def uuid(value: Any) -> str | None:
    try:
        return str(UUID(text(value)))
    except ValueError:
        return None


def instant(value: Any, received_at: datetime) -> datetime:
    """Seconds since 1970, as a number or as text, or ISO 8601, or an instant; what is no instant, or one to come, is
    when we heard of it."""
    found = value if isinstance(value, datetime) else _instant(text(value))
    if found is None or found.tzinfo is None:
        return received_at
    return found if EARLIEST <= found <= received_at else received_at


def _instant(value: str) -> datetime | None:
    try:
        seconds = float(value)
    except ValueError:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) if math.isfinite(seconds) else None
    except OverflowError:
        return None


def digest(*told: Any) -> bytes:
    """32 bytes that stand for these texts, lists and numbers."""
    return hashlib.sha256(json.dumps(told).encode()).digest()
