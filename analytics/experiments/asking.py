"""What an experiment asks: its goal, window and plan, changed by whoever runs it, with every mistake named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analytics.experiments import outcomes, register
from analytics.models import Experiment
from contacts import audit, authority
from contacts.conditions import BadCondition, Problem, parse
from contacts.conditions.tree import EventCount
from contacts.durations import BadDuration, parse_duration
from scoring.lifecycle import stages

METHODS = ("sprt", "always_valid")
LONGEST_DAYS = 366
MAX_GUARDRAILS = 10
LARGEST = 10**9  # far beyond what any of them may be, and small enough to be compared
WORDS = {"title": 200, "hypothesis": 2000, "base": 60}
SHARES = {"alpha": (0.0, 0.5), "power": (0.5, 1.0), "effect": (0.0, 1.0)}


# What a verdict depends on, and the hypothesis, which should not be found in the answer either.
FIXED_BY_LOOKING = (
    "hypothesis", "goal", "window", "base", "method", "alpha", "power", "effect", "rate", "guardrails",
)  # fmt: skip
WHY_FIXED = (
    "is fixed: outcomes have been looked at. A question that is changed when some answers are known finds differences "
    "by chance more often than promised. Ask it of a new experiment, under another name."
)


class BadExperiment(ValueError):
    """`problems` names every mistake by its path; never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))


class IsOver(Exception):
    """The experiment was decided already."""


def change(experiment: Experiment, raw: Mapping[str, Any], *, now: datetime) -> None:
    """Store what is given, inside the caller's transaction; what is not given stays. Raises BadExperiment, IsOver.

    A new goal, window or guardrail is asked of everybody who is in the experiment already: their outcomes are made
    anew. Once somebody has seen outcomes only the title changes."""
    authority.require("analytics.change_experiment")
    problems: list[Problem] = []
    given = {name: _read(name, value, problems) for name, value in raw.items()}
    if problems:
        raise BadExperiment(problems)
    stored = Experiment.objects.select_for_update().get(pk=experiment.pk)
    changed = {name: value for name, value in given.items() if value != getattr(stored, name)}
    if stored.state != "running" and changed.keys() - {"title"}:
        raise IsOver
    if stored.looked_at is not None and (fixed := [name for name in FIXED_BY_LOOKING if name in changed]):
        raise BadExperiment([Problem(name, "fixed", WHY_FIXED) for name in fixed])
    if "base" in changed and changed["base"] and changed["base"] not in register.variants(stored).weights:
        raise BadExperiment([Problem("base", "unknown", "is no variant of this experiment")])
    before, after = audit.changed({name: getattr(stored, name) for name in changed}, changed)
    if after:
        audit.note("experiment.changed", of=("experiment", stored.slug), name=stored.title, before=before, after=after)
    Experiment.objects.filter(pk=stored.pk).update(**changed)
    if changed.keys() & {"goal", "window", "guardrails"}:
        outcomes.rebuild(stored)


def decide(
    experiment: Experiment, *, variant: str, reason: str, now: datetime, by: str, rolled_out_in: int | None = None
) -> None:
    """End it, inside the caller's transaction: `variant` won (empty: none did). What was assigned stays assigned.
    `rolled_out_in`: the version by which everybody gets it. Raises NotAllowed, BadExperiment, IsOver."""
    authority.require("analytics.change_experiment")
    problems = []
    if variant and variant not in register.variants(experiment).weights:
        problems.append(Problem("variant", "unknown", "is no variant of this experiment"))
    if not reason.strip() or len(reason) > WORDS["hypothesis"] or "\x00" in reason:
        problems.append(Problem("reason", "wrong_value", "say why, in at most 2,000 characters"))
    if problems:
        raise BadExperiment(problems)
    decided = Experiment.objects.filter(pk=experiment.pk, state="running").update(
        state="decided",
        decision=variant,
        reason=reason.strip(),
        decided_at=now,
        decided_by=by,
        rolled_out_in=rolled_out_in,
    )
    if not decided:
        raise IsOver
    before, after = {"state": "running"}, {"state": "decided", "variant": variant, "rolled_out_in": rolled_out_in}
    audit.note(
        "experiment.decided", of=("experiment", experiment.slug), name=experiment.title, before=before, after=after
    )


def _read(name: str, value: Any, problems: list[Problem]) -> Any:
    if name in WORDS:
        if not isinstance(value, str) or len(value) > WORDS[name] or "\x00" in value:
            problems.append(Problem(name, "wrong_value", f"expected at most {WORDS[name]:,} characters"))
        return value
    if name in SHARES:
        least, most = SHARES[name]
        if not _is_number(value) or not least < value < most:
            problems.append(Problem(name, "wrong_value", f"expected a number between {least:g} and {most:g}"))
        return value
    readers = {"goal": _goal, "window": _window, "method": _method, "rate": _rate, "guardrails": _guardrails}
    if name not in readers:
        problems.append(Problem(name, "unknown_key", "unknown key"))
        return value
    return readers[name](value, problems)


def _goal(value: Any, problems: list[Problem]) -> Any:
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {"stage"} and value["stage"] in stages.STAGES:
        return value
    if isinstance(value, dict) and set(value) == {"goal"} and isinstance(value["goal"], str) and value["goal"]:
        return value
    if isinstance(value, dict) and "event" in value and set(value) <= {"event", "where"}:
        return value if _is_event(value, "goal", problems) else None
    message = 'expected {"event": TYPE, "where"?: CONDITION}, {"goal": NAME}, {"stage": STAGE} or null'
    problems.append(Problem("goal", "wrong_value", message))
    return None


def _is_event(value: Mapping[str, Any], path: str, problems: list[Problem]) -> bool:
    try:
        return isinstance(parse(dict(value), path=path), EventCount)
    except BadCondition as error:
        problems.extend(error.problems)
        return False


def _window(value: Any, problems: list[Problem]) -> Any:
    try:
        length = parse_duration(value if isinstance(value, str) else "").total()
    except BadDuration as error:
        problems.append(Problem("window", "wrong_value", str(error)))
        return value
    if not 0 < length.total_seconds() <= LONGEST_DAYS * 86_400:
        problems.append(Problem("window", "out_of_range", f"expected at most {LONGEST_DAYS} days"))
    return value


def _method(value: Any, problems: list[Problem]) -> Any:
    if value not in METHODS:
        problems.append(Problem("method", "wrong_value", f"expected one of {', '.join(METHODS)}"))
    return value


def _rate(value: Any, problems: list[Problem]) -> Any:
    if value is not None and (not _is_number(value) or not 0 < value < 1):
        problems.append(Problem("rate", "wrong_value", "expected a share between 0 and 1, or null"))
    return value


def _guardrails(value: Any, problems: list[Problem]) -> Any:
    if not isinstance(value, list) or len(value) > MAX_GUARDRAILS:
        problems.append(Problem("guardrails", "wrong_type", f"expected a list of at most {MAX_GUARDRAILS}"))
        return value
    for position, item in enumerate(value):
        path = f"guardrails[{position}]"
        if not isinstance(item, dict) or set(item) != {"name", "event", "limit"}:
            problems.append(Problem(path, "wrong_type", "expected an object with name, event and limit"))
            continue
        if not isinstance(item["name"], str) or not 0 < len(item["name"]) <= 200:
            problems.append(Problem(f"{path}.name", "wrong_value", "expected a name of 1 to 200 characters"))
        if not _is_number(item["limit"]) or not 0 <= item["limit"] < 1:
            problems.append(Problem(f"{path}.limit", "wrong_value", "expected a share from 0 to below 1"))
        _is_event({"event": item["event"]}, path, problems)
        if any(isinstance(other, dict) and other.get("event") == item["event"] for other in value[:position]):
            problems.append(Problem(f"{path}.event", "duplicate", "is guarded already"))
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= LARGEST
    return isinstance(value, float) and math.isfinite(value)
