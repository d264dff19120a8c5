"""What a progression rule says, as frozen values, read with every mistake named by its path. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contacts.conditions import BadCondition, Condition, Problem, parse
from contacts.conditions.tree import EventCount
from scoring.models.lifecycle import NO_STAGE, STAGES
from scoring.rulesets.parsing import check_threshold
from scoring.rulesets.rules import LEAD, BadRules

MAX_NAME = 200
OWN_NEWS = "lifecycle_changed"  # what a move itself records: a rule about it could go round for ever
KEYS = ("key", "name", "cause", "from_stages", "to_stage", "is_active", "position")


@dataclass(frozen=True)
class ScoreReached:
    """The score `name` came to `threshold` from below (None: to the threshold of its ruleset)."""

    name: str
    threshold: float | None


@dataclass(frozen=True)
class EventHappened:
    """An event of this type that meets `where` was recorded."""

    type: str
    where: Condition | None


@dataclass(frozen=True)
class Progression:
    """Whoever is in one of `from_stages` ("": never had a stage) moves to `to_stage` when the cause occurs. `written`
    is the cause as it is stored. Of several that fit, the one with the lowest position decides."""

    key: str
    name: str
    cause: ScoreReached | EventHappened
    from_stages: tuple[str, ...]
    to_stage: str
    written: Mapping[str, Any]
    is_active: bool = True
    position: int = 0
    changed_by: str = ""

    @property
    def source(self) -> str:
        return f"rule:{self.key}"


def parse_progression(raw: Mapping[str, Any]) -> Progression:
    """A rule as people write it: {key, name, cause, from_stages, to_stage, is_active?, position?}. Raises BadRules with
    every mistake."""
    problems = [Problem(str(key), "unknown_key", "unknown key") for key in sorted(raw.keys() - set(KEYS), key=str)]
    name = raw.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        problems.append(Problem("name", "wrong_value", f"expected a name of 1 to {MAX_NAME} characters"))
    cause = _cause(raw.get("cause"), problems)
    to_stage = raw.get("to_stage")
    if to_stage not in STAGES:
        problems.append(Problem("to_stage", "wrong_value", f"expected one of {', '.join(STAGES)}"))
    from_stages = _from_stages(raw.get("from_stages"), to_stage, problems)
    position = raw.get("position", 0)
    if not isinstance(position, int) or isinstance(position, bool) or abs(position) > 1_000_000:
        problems.append(Problem("position", "wrong_type", "expected a whole number"))
    is_active = raw.get("is_active", True)
    if not isinstance(is_active, bool):
        problems.append(Problem("is_active", "wrong_type", "expected true or false"))
    if problems or cause is None:
        raise BadRules(problems)
    return Progression(
        key=str(raw.get("key", "")),
        name=str(name),
        cause=cause,
        from_stages=from_stages,
        to_stage=str(to_stage),
        written=raw["cause"],
        is_active=is_active,
        position=position,
    )


def _from_stages(raw: object, to_stage: object, problems: list[Problem]) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not raw:
        problems.append(Problem("from_stages", "wrong_type", "expected at least one stage that people move from"))
        return ()
    for position, stage in enumerate(raw):
        if stage not in (NO_STAGE, *STAGES):
            message = f"expected one of {', '.join(STAGES)}, or an empty text for those without a stage"
            problems.append(Problem(f"from_stages[{position}]", "wrong_value", message))
        elif stage == to_stage:
            problems.append(Problem(f"from_stages[{position}]", "wrong_value", "nobody moves to where they are"))
    return tuple(stage for stage in (NO_STAGE, *STAGES) if stage in raw)


def _cause(raw: object, problems: list[Problem]) -> ScoreReached | EventHappened | None:
    if isinstance(raw, dict) and "score" in raw:
        return _score(raw, problems)
    if isinstance(raw, dict) and "event" in raw:
        return _event(raw, problems)
    message = 'expected {"score": NAME, "threshold": NUMBER or null} or {"event": TYPE, "where"?: CONDITION}'
    problems.append(Problem("cause", "wrong_type", message))
    return None


def _score(raw: Mapping[str, Any], problems: list[Problem]) -> ScoreReached | None:
    for key in sorted(raw.keys() - {"score", "threshold"}, key=str):
        problems.append(Problem(f"cause.{key}", "unknown_key", "unknown key"))
    name, threshold = raw.get("score", LEAD), raw.get("threshold")
    if not isinstance(name, str) or not 0 < len(name) <= 60:
        problems.append(Problem("cause.score", "wrong_value", "expected the name of a score"))
        return None
    if threshold is None:
        return ScoreReached(name, None)
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not math.isfinite(threshold):
        problems.append(Problem("cause.threshold", "wrong_type", "expected a number, or null for the ruleset's own"))
        return None
    try:
        return ScoreReached(name, check_threshold(threshold, path="cause.threshold"))
    except BadRules as error:
        problems.extend(error.problems)
        return None


def _event(raw: Mapping[str, Any], problems: list[Problem]) -> EventHappened | None:
    for key in sorted(raw.keys() - {"event", "where"}, key=str):
        problems.append(Problem(f"cause.{key}", "unknown_key", "a cause is one event: only event and where"))
    given = {"event": raw["event"]} | ({"where": raw["where"]} if raw.get("where") is not None else {})
    try:
        parsed = parse(given, path="cause")
    except BadCondition as error:
        problems.extend(error.problems)
        return None
    assert isinstance(parsed, EventCount), "an event node counts events"
    if parsed.type == OWN_NEWS:
        message = "a move cannot be the cause of a move: that could go round for ever"
        problems.append(Problem("cause.event", "circular", message))
    return EventHappened(parsed.type, parsed.where)
