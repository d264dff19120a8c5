"""What a rehearsal found: frozen values, as JSON and as the pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Count:
    """So many of one name. `label`: the name in words, where it has any."""

    name: str
    count: int
    label: str = ""


@dataclass(frozen=True)
class Passed:
    """Who came to a step, counted by entries: `came`; of them those who were there when the rehearsal ended:
    `standing`. Its messages: `sent`, and `held_back`."""

    step: str
    came: int
    standing: int
    sent: int
    held_back: int


@dataclass(frozen=True)
class Way:
    """How often a step was left by each of its ways. `shares` are percent, in the order of `ports`."""

    step: str
    label: str
    ports: tuple[Count, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Day:
    """Of one day, in UTC: messages sent, and messages that were held back."""

    day: str
    sent: int
    held_back: int


@dataclass(frozen=True)
class Spent:
    """How long those who came to an end were under way, in seconds."""

    finished: int
    median: float
    ninetieth: float
    longest: float


@dataclass(frozen=True)
class Collision:
    """Another journey whose messages came within a day of those of this one. `contacts`: how many met that."""

    slug: str
    name: str
    contacts: int
    messages: int


@dataclass(frozen=True)
class Difference:
    """An enrolment that went another way than it really did. `what`: only_really · only_rehearsed · another_way ·
    another_end. `really`, `rehearsed`: the way in a line."""

    contact: str
    entry: int
    what: str
    really: str
    rehearsed: str


@dataclass(frozen=True)
class Comparison:
    """With what really happened in the period. `apart`: by how many seconds the same journal rows lie apart, of 95 in
    100 and at most."""

    really: int
    same: int
    differences: tuple[Count, ...]
    examples: tuple[Difference, ...]
    apart: float
    farthest: float


@dataclass(frozen=True)
class Effort:
    facts: int
    copying_seconds: float
    playing_seconds: float
    facts_a_second: int
    unmatched_feedback: int


@dataclass(frozen=True)
class Report:
    """`comparison` is None where nobody really entered in the period. `notes`: what a reader has to know. `definition`:
    the draft as it was when the rehearsal began; None of a version, which never changes. `steps`: those that somebody
    came to, by their keys."""

    slug: str
    name: str
    version: int | None
    since: str
    until: str
    sample: float
    contacts: int
    entered: int
    people: int
    refused: tuple[Count, ...]
    standing: tuple[Count, ...]
    states: tuple[Count, ...]
    exits: tuple[Count, ...]
    steps: tuple[Passed, ...]
    ways: tuple[Way, ...]
    sent: int
    days: tuple[Day, ...]
    most_to_one: int
    per_contact: tuple[Count, ...]
    held_back: tuple[Count, ...]
    stuck: tuple[Count, ...]
    beyond: tuple[Count, ...]
    spent: Spent | None
    collisions: tuple[Collision, ...]
    comparison: Comparison | None
    notes: tuple[str, ...]
    effort: Effort
    definition: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
