"""Crossings worked out the slow and obvious way: somebody who looks once a minute, with a list of everything that
happened. Nothing is shared with the product.

Times are hours since the start. A rule is {"type", "points", "decay", "cap", "group", "repeat", "within", "count"}:
`repeat` None, "once" or a period in hours; `count` None, or the number of events in `within` that make it a condition.
A version is {"name", "at", "rules", "threshold", "hysteresis", "rearm", "rebases", "cap", "groups", "parts"}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MINUTE = 1 / 60
SECOND = MINUTE / 60

Rule = Mapping[str, Any]
Version = Mapping[str, Any]


@dataclass(frozen=True)
class Fact:
    """An event: when it happened, and when it was recorded, which may be later or sooner."""

    type: str
    at: float
    told: float


def left(decay: Mapping[str, Any], age: float) -> float:
    if not decay:
        return 1.0
    period = decay["hours"]
    if decay["type"] == "half_life":
        return 0.5 ** (age / period)
    if decay["type"] == "linear":
        return max(0.0, 1 - age / period)
    return 1.0 if age < period else 0.0


def since(fact: Fact, at: float) -> float:
    """Its age in hours, to the microsecond: so that a whole hour is one."""
    return round((at - fact.at) * 3600, 6) / 3600


def clamp(value: float, cap: float | None) -> float:
    return value if cap is None else max(-cap, min(cap, value))


def points(rule: Rule, facts: Sequence[Fact], at: float, start: float) -> float:
    """`start`: the hours between 1970 and the start, for periods."""
    come = [fact for fact in facts if fact.type == rule["type"] and since(fact, at) >= 0]
    if rule["within"] is not None:
        come = [fact for fact in come if since(fact, at) < rule["within"]]
    if rule["count"] is not None:
        return clamp(rule["points"] if len(come) >= rule["count"] else 0.0, rule["cap"])
    if rule["repeat"] == "once":
        come = sorted(come, key=lambda fact: fact.at)[-1:]
    elif rule["repeat"] is not None:
        newest: dict[float, Fact] = {}
        for fact in sorted(come, key=lambda fact: fact.at):
            newest[round((start + fact.at) * 3600, 6) // (rule["repeat"] * 3600)] = fact
        come = list(newest.values())
    return clamp(rule["points"] * sum(left(rule["decay"], since(fact, at)) for fact in come), rule["cap"])


def total(version: Version, active: Mapping[str, Version], facts: Sequence[Fact], at: float, world: World) -> float:
    """`facts`: what is known of events; conditions have no memory and go by all that is known when one looks."""
    given = [points(rule, world.seen if rule["count"] else facts, at, world.start) for rule in version["rules"]]
    grouped = {name: 0.0 for name in version["groups"]}
    loose = 0.0
    for rule, one in zip(version["rules"], given, strict=True):
        if rule["group"]:
            grouped[rule["group"]] += one
        else:
            loose += one
    whole = loose + sum(clamp(sum_, version["groups"][name]) for name, sum_ in grouped.items())
    for name, weight in version["parts"].items():
        if name in active:
            part = {**active[name], "parts": {}}
            whole += weight * total(part, active, facts, at, world)
    return clamp(whole, version["cap"])


@dataclass
class Side:
    above: bool = False
    turned_at: float | None = None
    noted: int = 0  # how many activations it has taken note of


class World:
    """One contact, and whoever watches over it. `told` are the product's crossings (direction, hour): where it says
    that there is one, the oracle looks as well, and after each the product's instant is when the side turned."""

    def __init__(
        self,
        facts: Sequence[Fact],
        versions: Sequence[Version],
        told: Sequence[tuple[str, float]],
        *,
        start: float,
        asleep: tuple[float, float],
    ) -> None:
        self.facts, self.told, self.start, self.asleep = facts, list(told), start, asleep
        self.versions = sorted(versions, key=lambda version: version["at"])
        self.seen: list[Fact] = []
        self.side = Side()  # of the one line that every version draws, wherever it draws it
        self.found: list[tuple[str, float]] = []

    def live(self, hours: float) -> list[tuple[str, float]]:
        """Every crossing until then. Raises AssertionError where the product told another one, or none."""
        looks = {minute * MINUTE for minute in range(round(hours * 60) + 1)} | {
            at for _, at in self.told if at <= hours
        }
        for at in sorted(looks):
            if not self.asleep[0] <= at < self.asleep[1]:
                self.look(at)
        return self.found

    def look(self, at: float) -> None:
        self.seen = [fact for fact in self.facts if fact.told <= at + SECOND / 100]
        count = sum(version["at"] <= at for version in self.versions)
        rules = self.rules_after(count)
        if rules is None:
            return
        side = self.side
        for place in range(side.noted, count):
            if self.versions[place]["rebases"] and self.is_concerned(place):
                self.rebase(place, rules["threshold"], side, at)
        side.noted = count
        if self.armed(rules, side, at) and self.crossed(rules, count, side, at, self.seen):
            self.tell(side, at)

    def is_concerned(self, place: int) -> bool:
        """Whether a version is the score's own, or of what is a part of it by the rules that hold then."""
        name, rules = self.versions[place]["name"], self.rules_after(place + 1)
        return rules is not None and (name == rules["name"] or name in rules["parts"])

    def rebase(self, place: int, threshold: float, side: Side, at: float) -> None:
        then = self.versions[place]["at"]
        known = [fact for fact in self.facts if fact.told <= then]
        before, after = self.rules_after(place), self.rules_after(place + 1)
        if (
            before is not None
            and before["threshold"] == threshold
            and self.armed(before, side, then)
            and self.crossed(before, place, side, then, known)
        ):
            self.tell(side, at)
        if after is not None and after["threshold"] == threshold and self.crossed(after, place + 1, side, then, known):
            side.above = not side.above

    def rules_after(self, count: int) -> Version | None:
        return self.active(count).get("lead")

    def active(self, count: int) -> dict[str, Version]:
        return {version["name"]: version for version in self.versions[:count]}

    def armed(self, rules: Version, side: Side, at: float) -> bool:
        """Without a rest always: also where the last turn is told late, and `at` lies before the telling."""
        return not rules["rearm"] or side.turned_at is None or at >= side.turned_at + rules["rearm"] - SECOND / 1000

    def crossed(self, rules: Version, count: int, side: Side, at: float, facts: Sequence[Fact]) -> bool:
        score = round(total(rules, self.active(count), facts, at, self), 6)
        if side.above:
            return score < round(rules["threshold"] * (1 - rules["hysteresis"]), 6)
        return score >= rules["threshold"]

    def tell(self, side: Side, at: float) -> None:
        side.above = not side.above
        direction = "up" if side.above else "down"
        self.found.append((direction, at))
        told = self.told[len(self.found) - 1] if len(self.found) <= len(self.told) else None
        if told is not None:
            assert told[0] == direction and at <= told[1] <= at + 1.01 * SECOND, f"{told}, but {direction} at {at}"
        side.turned_at = at if told is None else told[1]
