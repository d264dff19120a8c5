"""A second opinion: the meaning of a condition, written in Python straight from the contract and from nothing of ours.

It shares no line with the compiler, is slow and plain, and exists so that a random search can compare the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MISSING = object()
NEGATIVE = {
    "ne": "eq",
    "not_in": "in",
    "not_contains": "contains",
    "not_exists": "exists",
    "not_within_last": "within_last",
}
COLUMNS = ("email", "region")


@dataclass
class World:
    """Everything that a condition may look at, as plain Python values."""

    now: datetime
    contact: dict  # columns: email, region, created_at, attributes
    tags: set = field(default_factory=set)
    events: list = field(default_factory=list)  # (type, occurred_at, processed, properties)
    event: tuple = ("", None, {})  # (type, occurred_at, properties)
    trigger: dict = field(default_factory=dict)


def truth(tree: dict, world: World) -> bool:
    if "all" in tree:
        return all([truth(part, world) for part in tree["all"]])
    if "any" in tree:
        return any([truth(part, world) for part in tree["any"]])
    if "not" in tree:
        return not truth(tree["not"], world)
    if "has_tag" in tree:
        return tree["has_tag"] in world.tags
    if "event" in tree:
        return _counts(tree, world)
    return _compares(tree, world)


def _counts(tree: dict, world: World) -> bool:
    found = 0
    for kind, at, processed, properties in world.events:
        if kind != tree["event"] or not processed or at > world.now:
            continue
        if "within" in tree and at <= world.now - length(tree["within"]):
            continue
        if kind in ("email_opened", "email_clicked") and properties.get("is_machine") in (True, "true"):
            continue
        if any(properties.get(key) != value for key, value in tree.get("message", {}).items()):
            continue
        here = World(world.now, world.contact, world.tags, [], (kind, at, properties), world.trigger)
        if "where" in tree and not truth(tree["where"], here):
            continue
        found += 1
    count = tree.get("count", 1)
    return {
        "eq": found == count,
        "ne": found != count,
        "gt": found > count,
        "gte": found >= count,
        "lt": found < count,
        "lte": found <= count,
    }[tree.get("op", "gte")]


def _compares(tree: dict, world: World) -> bool:
    op = tree["op"]
    if op in NEGATIVE:
        return not _compares({**tree, "op": NEGATIVE[op]}, world)
    left = look_up(tree["field"], world)
    if left is MISSING or left is None:
        return False
    right = tree.get("value")
    if isinstance(right, dict):
        right = look_up(right["ref"], world)
        if right is MISSING or right is None:
            return False
    if isinstance(left, datetime) and op in ("eq", "in"):
        return left in [instant(item) for item in (right if op == "in" else [right])]
    match op:
        case "exists":
            return True
        case "eq":
            return same(left, right)
        case "in":
            return any(same(left, item) for item in right)
        case "gt" | "gte" | "lt" | "lte":
            return ordered(op, left, right)
        case "before" | "after":
            return ordered({"before": "lt", "after": "gt"}[op], instant(left), instant(right))
        case "within_last":
            at = instant(left)
            return at is not None and world.now - length(right) < at <= world.now
        case "contains" if isinstance(left, list):
            return any(same(fold(item), fold(right)) for item in left)
        case "contains":
            return both_text(left, right) and right.lower() in left.lower()
        case "starts_with":
            return both_text(left, right) and left.lower().startswith(right.lower())
        case "ends_with":
            return both_text(left, right) and left.lower().endswith(right.lower())
    raise AssertionError(op)


def look_up(name: str, world: World) -> object:
    if name in COLUMNS:
        return world.contact[name] or MISSING
    if name == "created_at":
        return world.contact["created_at"]
    kind, at, properties = world.event
    head, _, rest = name.partition(".")
    if head == "event":
        return {"type": kind, "occurred_at": at}.get(rest) or walk(properties, rest)
    if head == "trigger":
        return walk(world.trigger, rest if rest in ("type", "occurred_at") else f"properties.{rest}")
    return walk(world.contact["attributes"], name.removeprefix("attributes."))


def walk(value: object, path: str) -> object:
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def same(left: object, right: object) -> bool:
    """JSON equality: text is no number, true is not 1, 1 is 1.0."""
    numbers = is_number(left) and is_number(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right and (numbers or type(left) is type(right))


def ordered(op: str, left: object, right: object) -> bool:
    if not (is_number(left) and is_number(right)):
        left, right = instant(left), instant(right)
        if left is None or right is None:
            return False
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[op]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def both_text(left: object, right: object) -> bool:
    return isinstance(left, str) and isinstance(right, str)


def fold(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def instant(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.match(r"[1-9]\d{3}-\d\d-\d\d", value):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def length(text: str) -> timedelta:
    number = int(re.search(r"\d+", text)[0])
    return timedelta(**{{"D": "days", "W": "weeks", "H": "hours", "M": "minutes", "S": "seconds"}[text[-1]]: number})
