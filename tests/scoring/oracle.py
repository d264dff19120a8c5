"""Scores worked out the slow and obvious way, with nothing shared with the product: what the projection and the
crossings are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Happened:
    """An event of a test's history."""

    type: str
    at: datetime
    size: int = 0


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
    """Rules as {"type", "least" (smallest size that counts, or None), "points", "decay", "cap"}."""
    history = list(history)
    total = 0.0
    for rule in rules:
        gained = 0.0
        for event in history:
            if event.type != rule["type"] or event.at > at:
                continue
            if rule["least"] is not None and event.size < rule["least"]:
                continue
            gained += rule["points"] * fade(rule["decay"], (at - event.at) / timedelta(hours=1))
        if rule["cap"] is not None:
            gained = max(-rule["cap"], min(rule["cap"], gained))
        total += gained
    return round(total, 6)


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
    signal: dict[str, Any] = {"event": rule["type"]}
    if rule["least"] is not None:
        signal["where"] = {"field": "event.size", "op": "gte", "value": rule["least"]}
    decay = {"type": rule["decay"]["type"], "period": f"PT{rule['decay']['hours']}H"} if rule["decay"] else {}
    return {
        "name": f"rule {position}",
        "signal": signal,
        "points": rule["points"],
        "decay": decay,
        "cap": rule["cap"],
    }
