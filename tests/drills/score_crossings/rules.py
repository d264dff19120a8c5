"""The rules that are drilled, as they are written for the product, and what they say worked out the slow and obvious
way, from a list of everything that happened. Nothing is shared with the product's projection. Times are microseconds.

No sum of points that stay lies at a level: whoever comes near one comes across it, and everything ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

SECOND = 1_000_000
THRESHOLD = 60.0
FALLS_BELOW = 54.0  # the hysteresis of 10 % that holds where nothing is said


@dataclass(frozen=True)
class Event:
    """`acknowledged`: when the client had read its answer; None: nobody knows. `lane` in which it was recorded."""

    type: str
    at: int
    acknowledged: int | None
    lane: str


@dataclass(frozen=True)
class Person:
    """A contact of the drill, with the events in the order in which they happened."""

    plan: str
    events: Sequence[Event]


@dataclass(frozen=True)
class Rule:
    """Points for each event of a type (for one of them where `once`), or for a plan while a contact has it."""

    points: float
    event: str = ""
    plan: str = ""
    fades: str = "none"
    seconds: int = 0
    cap: float | None = None
    once: bool = False

    def document(self) -> dict[str, Any]:
        return {
            "name": f"{self.event or self.plan} {self.points:+g}",
            "signal": {"event": self.event} if self.event else {"field": "plan", "op": "eq", "value": self.plan},
            "points": self.points,
            "cap": self.cap,
            "decay": {} if self.fades == "none" else {"type": self.fades, "period": f"PT{self.seconds}S"},
            "repeat": {"policy": "once"} if self.once else {},
        }

    def gives(self, person: Person, at: int, without: Collection[Event]) -> float:
        if self.plan:
            return self.points if person.plan == self.plan else 0.0
        shares = [
            self._left((at - event.at) / SECOND)
            for event in person.events
            if event.type == self.event and event.at <= at and event not in without
        ]
        points = self.points * (max(shares, default=0.0) if self.once else sum(shares))
        return points if self.cap is None else max(-self.cap, min(self.cap, points))

    def _left(self, age: float) -> float:
        if self.fades == "half_life":
            return 0.5 ** (age / self.seconds)
        if self.fades == "linear":
            return max(0.0, 1 - age / self.seconds)
        if self.fades == "step":
            return 1.0 if age < self.seconds else 0.0
        return 1.0


VISITED, SIGNED_UP, COMPLAINED, WATCHED, DOWNLOADED = "visited", "signed_up", "complained", "watched", "downloaded"
# by how often it happens
HAPPENS = {VISITED: 4.0, SIGNED_UP: 3.0, COMPLAINED: 1.5, WATCHED: 1.5, DOWNLOADED: 1.5}
STEP_SECONDS = 5
FADING = (
    Rule(30, event=VISITED, fades="half_life", seconds=2, cap=70),
    Rule(-40, event=COMPLAINED, fades="half_life", seconds=2, cap=60),
    Rule(20, event=WATCHED, fades="linear", seconds=6),
    Rule(15, event=DOWNLOADED, fades="step", seconds=STEP_SECONDS, cap=31),
    Rule(35, event=SIGNED_UP, once=True),
)
# Those who signed up stay above by one version if they pay, by the other one if they try.
VERSIONS = {
    "for those who pay": (*FADING, Rule(30, plan="pro"), Rule(10, plan="trial")),
    "for those who try": (*FADING, Rule(10, plan="pro"), Rule(30, plan="trial")),
}


def document(title: str) -> dict[str, Any]:
    """A version as the API takes it."""
    return {
        "name": "lead",
        "title": title,
        "mql_threshold": THRESHOLD,
        "on_activation": "emit",
        "rules": [rule.document() for rule in VERSIONS[title]],
    }


def score(title: str, person: Person, at: int, without: Collection[Event] = ()) -> float:
    """By the version of that title, by the events up to `at` but for those `without`."""
    return round(sum(rule.gives(person, at, without) for rule in VERSIONS[title]), 6)
