"""Scores worked out the slow and obvious way, with nothing shared with the product: what the projection and the
crossings are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENGAGEMENT = ("email_opened", "email_clicked")


@dataclass(frozen=True)
class Happened:
    """An event of a test's history. `machine`: nobody did it; `held`: consent keeps it back."""

    type: str
    at: datetime
    size: int = 0
    machine: bool = False
    held: bool = False


def fade(decay: dict[str, Any], hours: float) -> float:
    """What is left after so many hours; the period is given in hours as {"type": …, "hours": …}."""
    if not decay:
        return 1.0
    period = decay["hours"]
    return {
        "half_life": lambda: 0.5 ** (hours / period),
        "linear": lambda: 1 - hours / period if hours < period else 0.0,
        "step": lambda: 1.0 if hours < period else 0.0,
    }[decay["type"]]()


def score(rules: Iterable[dict[str, Any]], history: Iterable[Happened], at: datetime) -> float:
    """The rules alone, see `gained`, added up."""
    history = list(history)
    return round(sum(gained(rule, history, at, {}) for rule in rules), 6)


def gained(rule: dict[str, Any], history: list[Happened], at: datetime, attributes: dict[str, Any]) -> float:
    """What one rule gives. It has "type", "least" (smallest size that counts, or None), "points", "decay", "cap", and
    perhaps "within" (hours), "repeat" ("once", or hours of which each gives once), "human_only" and "group". Or, in
    place of "type" and all that goes with it, "plan" (the attribute) or "often" ((type, times, hours))."""
    if "plan" in rule:
        count = 1.0 if attributes.get("plan") == rule["plan"] else 0.0
    elif "often" in rule:
        type_, times, hours = rule["often"]
        since = at - timedelta(hours=hours)
        found = [e for e in history if e.type == type_ and since < e.at <= at and not e.held and not is_no_person(e)]
        count = 1.0 if len(found) >= times else 0.0
    else:
        count = sum(fade(rule["decay"], (at - event.at) / timedelta(hours=1)) for event in counted(rule, history, at))
    points = rule["points"] * count
    return points if rule["cap"] is None else max(-rule["cap"], min(rule["cap"], points))


def counted(rule: dict[str, Any], history: list[Happened], at: datetime) -> list[Happened]:
    """The events that give points."""
    found = []
    for event in history:
        if event.type != rule["type"] or event.at > at or event.held:
            continue
        if rule["least"] is not None and event.size < rule["least"]:
            continue
        if rule.get("within") is not None and (at - event.at) >= timedelta(hours=rule["within"]):
            continue
        if rule.get("human_only", True) and is_no_person(event):
            continue
        found.append(event)
    repeat = rule.get("repeat")
    if repeat is None:
        return found
    # the later one takes the place of the earlier one: one place in all, or one in each stretch of hours since 1970
    newest: dict[int, Happened] = {}
    for event in sorted(found, key=lambda event: event.at):
        newest[0 if repeat == "once" else (event.at - EPOCH) // timedelta(hours=repeat)] = event
    return list(newest.values())


def is_no_person(event: Happened) -> bool:
    return event.machine and event.type in ENGAGEMENT


def whole(ruleset: dict[str, Any], history: list[Happened], at: datetime, attributes: dict[str, Any]) -> float:
    """A ruleset {"rules", "groups": {name: cap}, "cap", "parts": {name: (weight, ruleset)}}, not rounded."""
    total = 0.0
    for name in {rule.get("group") for rule in ruleset["rules"]}:
        points = sum(gained(rule, history, at, attributes) for rule in ruleset["rules"] if rule.get("group") == name)
        cap = ruleset["groups"].get(name)
        total += points if cap is None else max(-cap, min(cap, points))
    for weight, part in ruleset["parts"].values():
        total += weight * whole(part, history, at, attributes)
    return total if ruleset["cap"] is None else max(-ruleset["cap"], min(ruleset["cap"], total))


def crossings(
    rules: Iterable[dict[str, Any]], history: Iterable[Happened], *, start: datetime, minutes: int, threshold: float
) -> list[tuple[str, datetime]]:
    """(direction, minute) of every crossing, found by looking once a minute."""
    rules, history = list(rules), list(history)
    above, found = False, []
    for minute in range(minutes + 1):
        at = start + timedelta(minutes=minute)
        now = score(rules, history, at)
        if not above and now >= threshold:
            above = True
            found.append(("up", at))
        elif above and now < 0.9 * threshold:
            above = False
            found.append(("down", at))
    return found


def as_written(rule: dict[str, Any], position: int) -> dict[str, Any]:
    """The same rule in the product's words."""
    written = {"name": f"rule {position}", "points": rule["points"], "cap": rule["cap"], "group": rule.get("group", "")}
    if "plan" in rule:
        return {**written, "signal": {"field": "plan", "op": "eq", "value": rule["plan"]}}
    if "often" in rule:
        type_, times, hours = rule["often"]
        return {**written, "signal": {"event": type_, "op": "gte", "count": times, "within": f"PT{hours}H"}}
    signal: dict[str, Any] = {"event": rule["type"]}
    if rule["least"] is not None:
        signal["where"] = {"field": "event.size", "op": "gte", "value": rule["least"]}
    if rule.get("within") is not None:
        signal["within"] = f"PT{rule['within']}H"
    repeat = rule.get("repeat")
    return {
        **written,
        "signal": signal,
        "decay": {"type": rule["decay"]["type"], "period": f"PT{rule['decay']['hours']}H"} if rule["decay"] else {},
        "repeat": {}
        if repeat is None
        else {"policy": "once"}
        if repeat == "once"
        else {"policy": "once_per", "period": f"PT{repeat}H"},
        "human_only": rule.get("human_only", True),
    }


def ruleset_as_written(ruleset: dict[str, Any]) -> dict[str, Any]:
    """The same ruleset as keywords of `versions.activate`; its parts are written by themselves."""
    return {
        "rules": [as_written(rule, position) for position, rule in enumerate(ruleset["rules"])],
        "cap": ruleset["cap"],
        "groups": [{"name": name, "cap": cap} for name, cap in ruleset["groups"].items()],
        "parts": {name: weight for name, (weight, _) in ruleset["parts"].items()},
    }
