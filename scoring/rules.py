"""What a rule says: frozen values, parsed with every mistake named, read from the active rulesets in one statement."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from contacts.conditions import BadCondition, Condition, Problem, parse
from contacts.conditions.tree import EventCount
from scoring.decay import BadDecay, Decay, parse_decay

LEAD = "lead"  # the score that people mean when they say no name
MAX_RULES = 200
MAX_POINTS = 1_000_000.0
LEAST_POINTS = 1e-6  # a score has 6 decimals; and PostgreSQL refuses a product that underflows to zero
MAX_NAME = 200


class BadRules(ValueError):
    """`problems` names every mistake by its path, e.g. `rules[2].decay.period`; never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))


@dataclass(frozen=True)
class Rule:
    """Either `event` is set (points for each event of this type that meets `where`, fading with its age), or
    `condition` is (points while it is true). `cap` bounds the rule's sum by its absolute value.

    `signal` and `fading` are what was written, for storing and showing."""

    name: str
    points: float
    decay: Decay
    cap: float | None
    event: str
    where: Condition | None
    condition: Condition | None
    signal: Mapping[str, Any]
    fading: Mapping[str, Any]


@dataclass(frozen=True)
class Ruleset:
    """A version of a named score, with its rules in their order."""

    ruleset_id: int
    name: str
    version: int
    mql_threshold: float
    rules: tuple[Rule, ...]

    @property
    def label(self) -> str:
        return f"{self.name} v{self.version}"


def parse_rules(raw: object, *, path: str = "rules") -> tuple[Rule, ...]:
    """Rules as people write them: {name, signal, points, decay?, cap?}. Raises BadRules with every mistake."""
    if not isinstance(raw, list):
        raise BadRules([Problem(path, "wrong_type", "expected a list of rules")])
    if len(raw) > MAX_RULES:
        raise BadRules([Problem(path, "too_long", f"at most {MAX_RULES} rules, got {len(raw)}")])
    problems: list[Problem] = []
    rules = [_rule(item, f"{path}[{position}]", problems) for position, item in enumerate(raw)]
    if problems:
        raise BadRules(problems)
    return tuple(rule for rule in rules if rule is not None)


def check_threshold(raw: object, *, path: str = "mql_threshold") -> float:
    """A finite number above 0. Raises BadRules."""
    threshold = _finite(raw)
    if threshold is None or not 0 < threshold <= MAX_POINTS:
        raise BadRules([Problem(path, "wrong_value", f"expected a number above 0 and at most {MAX_POINTS:.0f}")])
    return threshold


_ACTIVE = """
    SELECT s.id, s.name, s.version, s.mql_threshold, r.name, r.signal, r.points, r.decay, r.cap
      FROM scoring_rulesets s LEFT JOIN scoring_rules r ON r.ruleset_id = s.id
     WHERE s.state = 'active' ORDER BY s.name, r.id
"""


def active_rulesets() -> tuple[Ruleset, ...]:
    """The active version of every named score, by name. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE)
        rows = cursor.fetchall()
    heads: dict[tuple[int, str, int, float], list[dict[str, object]]] = {}
    for *head, name, signal, points, decay, cap in rows:
        rules = heads.setdefault(tuple(head), [])
        if name is not None:
            rules.append(
                {"name": name, "signal": _loaded(signal), "points": points, "decay": _loaded(decay), "cap": cap}
            )
    return tuple(Ruleset(*head, rules=parse_rules(rules)) for head, rules in heads.items())


def active_ruleset(name: str) -> Ruleset | None:
    """The active version of one score; None if it has none yet."""
    return next((ruleset for ruleset in active_rulesets() if ruleset.name == name), None)


def _rule(raw: object, path: str, problems: list[Problem]) -> Rule | None:
    if not isinstance(raw, dict):
        problems.append(Problem(path, "wrong_type", "expected an object"))
        return None
    before = len(problems)
    for key in sorted(set(raw) - {"name", "signal", "points", "decay", "cap"}):
        problems.append(Problem(f"{path}.{key}", "unknown_key", "unknown key"))
    name = raw.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        problems.append(Problem(f"{path}.name", "wrong_value", f"expected a name of 1 to {MAX_NAME} characters"))
    points = _finite(raw.get("points"))
    if points is None or not (points == 0 or LEAST_POINTS <= abs(points) <= MAX_POINTS):
        message = f"expected a number between ±{MAX_POINTS:.0f}, of at most 6 decimals"
        problems.append(Problem(f"{path}.points", "wrong_value", message))
    cap = _finite(raw["cap"]) if raw.get("cap") is not None else None
    if raw.get("cap") is not None and (cap is None or cap < 0):
        problems.append(Problem(f"{path}.cap", "wrong_value", "expected a number of at least 0, or null"))
    decay = _decay(raw.get("decay"), f"{path}.decay", problems)
    event, where, condition = _signal(raw.get("signal"), f"{path}.signal", problems)
    if condition is not None and decay is not None and decay.kind != "none":
        problems.append(
            Problem(f"{path}.decay", "wrong_value", "a condition has no age: its points do not fade, only events' do")
        )
    if len(problems) > before or not isinstance(name, str) or points is None or decay is None:
        return None
    return Rule(name, points, decay, cap, event, where, condition, raw["signal"], raw.get("decay") or {})


def _signal(raw: object, path: str, problems: list[Problem]) -> tuple[str, Condition | None, Condition | None]:
    """(event type, where, condition): {"event": TYPE, "where"?} counts each event; all else is a condition."""
    try:
        condition = parse(raw, path=path)
    except BadCondition as error:
        problems.extend(error.problems)
        return "", None, None
    if _mentions_score(raw):
        problems.append(Problem(path, "circular", "a score cannot depend on a score"))
    if isinstance(condition, EventCount) and isinstance(raw, dict) and set(raw) <= {"event", "where"}:
        return condition.type, condition.where, None
    return "", None, condition


def _mentions_score(tree: object) -> bool:
    if isinstance(tree, dict):
        return tree.get("field") == "score" or any(_mentions_score(part) for part in tree.values())
    return isinstance(tree, list) and any(_mentions_score(part) for part in tree)


def _decay(raw: object, path: str, problems: list[Problem]) -> Decay | None:
    try:
        return parse_decay(raw, speed=settings.TIME_SPEED)
    except BadDecay as error:
        problems.append(Problem(f"{path}.{error.field}".rstrip("."), "wrong_value", str(error)))
        return None


def _finite(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        value = float(raw)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def _loaded(value: object) -> object:
    """Django leaves jsonb as text when a cursor is used directly."""
    return json.loads(value) if isinstance(value, str) else value
