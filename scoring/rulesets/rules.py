"""What rules and rulesets say, as frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contacts.conditions import Condition, Problem
from scoring.rulesets.decay import Decay

LEAD = "lead"  # the score that people mean when they say no name


class BadRules(ValueError):
    """`problems` names every mistake by its path, e.g. `rules[2].decay.period`; never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))


@dataclass(frozen=True)
class Repeat:
    """Which of the events that a rule counts give points: every one, the newest (`once`), or the newest of each period
    (`once_per`: periods of `seconds`, physical time over the speed of the installation, counted from 1970)."""

    policy: str = "every_time"
    seconds: float = 0.0


@dataclass(frozen=True)
class Rule:
    """Either `event` is set (points for each event of this type that meets `where` and is younger than `within`
    seconds, fading with its age), or `condition` is (points while it is true). `cap` bounds the rule's sum by its
    absolute value; `group` names the group that bounds it together with others.

    `signal`, `fading` and `repeating` are what was written, for storing and showing."""

    name: str
    points: float
    decay: Decay
    cap: float | None
    event: str
    where: Condition | None
    condition: Condition | None
    signal: Mapping[str, Any]
    fading: Mapping[str, Any]
    within: float | None = None
    group: str = ""
    repeat: Repeat = Repeat()
    repeating: Mapping[str, Any] = field(default_factory=dict)
    human_only: bool = True


@dataclass(frozen=True)
class Group:
    """Rules whose sum is bounded together, by its absolute value."""

    name: str
    cap: float


@dataclass(frozen=True)
class Part:
    """Another score that a combined one adds, `weight` times. Only the combined score's own parts count: what a part
    is combined of itself is left out, so there is no circle."""

    name: str
    weight: float
    ruleset: Ruleset


@dataclass(frozen=True)
class Settings:
    """What a ruleset says beside its rules; see the columns of `scoring.models.Ruleset`. `weights` are the parts by
    their names; `rearm_seconds` is physical time over the speed of the installation."""

    title: str = ""
    mql_threshold: float = 60.0
    cap: float | None = None
    groups: tuple[Group, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    hysteresis: float = 0.1
    rearm_after: str = ""
    rearm_seconds: float = 0.0
    on_activation: str = "emit"


@dataclass(frozen=True)
class Written:
    """A ruleset as somebody wrote it, parsed: what a draft holds."""

    name: str
    settings: Settings
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Ruleset:
    """A version of a named score, with its rules in their order. How they add up: `scoring.rulesets.arithmetic`."""

    ruleset_id: int
    name: str
    version: int
    mql_threshold: float
    rules: tuple[Rule, ...]
    settings: Settings = Settings()
    parts: tuple[Part, ...] = ()
    activated_at: datetime | None = None

    @property
    def label(self) -> str:
        return f"{self.name} v{self.version}"
