"""Lifecycle in the words of people: what moved somebody, what a rule looks at, how long a stay was."""

from __future__ import annotations

from datetime import timedelta

from contacts.conditions import explain
from scoring.lifecycle.causes import Progression, ScoreReached
from scoring.rulesets.rules import LEAD

_WAYS = {
    "rule": "the rule {name}",
    "workflow": "the journey {name}",
    "api": "the API",
    "admin": "hand",
    "import": "an import",
    "merge": "a merge",
    "score": "the score",
}
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def way(source: str, actor: str = "") -> str:
    """Completes "by …": `rule:demo` -> `the rule demo`; who did it by hand comes with their name."""
    kind, _, name = source.partition(":")
    said = _WAYS[kind].format(name=name) if kind in _WAYS else source
    by = actor.partition(":")[2] or actor
    return (
        f"{by} ({said})" if by and kind in ("api", "admin", "import") else f"{said}, asked for by {by}" if by else said
    )


def cause(rule: Progression) -> str:
    """What a rule waits for, as a sentence."""
    if isinstance(rule.cause, ScoreReached):
        score = "The score" if rule.cause.name == LEAD else f"The score {rule.cause.name}"
        at = "the threshold of its rules" if rule.cause.threshold is None else f"{rule.cause.threshold:g}"
        return f"{score} reaches {at}"
    if rule.cause.where is None:
        return f"The event {rule.cause.type} is recorded"
    return f"The event {rule.cause.type} is recorded, and {explain(rule.cause.where)}"


def span(stayed: timedelta | None) -> str:
    """`3 days`, `5 hours`; a dash for nothing known."""
    if stayed is None:
        return "–"
    seconds = stayed.total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            number = f"{seconds / size:.1f}".removesuffix(".0")
            return f"{number} {unit}{'' if number == '1' else 's'}"
    return "under a minute"
