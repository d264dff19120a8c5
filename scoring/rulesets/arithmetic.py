"""How the points of rules become a score, said once: as a tree that is folded in SQL, in Python and in bounds. Pure.

    score = cap( Σ group cap( Σ rule cap( points × count ) ) + Σ rule cap( … ) + Σ weight × score of a part )

and it is rounded at the very end. Every cap bounds by the absolute value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scoring.rulesets.rules import Rule, Ruleset

Value = TypeVar("Value")


@dataclass(frozen=True)
class Sum:
    """The sum of `terms`, bounded by `cap` (None: not bounded), times `weight`. A term is the position of a rule in
    `rules_of`, whose own cap has bounded it already, or another sum. `name` is the group's or the part's."""

    terms: tuple[Sum | int, ...]
    cap: float | None = None
    weight: float = 1.0
    name: str = ""


def rules_of(ruleset: Ruleset) -> tuple[Rule, ...]:
    """Every rule that counts: the ruleset's own, then those of its parts, in the order of the parts."""
    return (*ruleset.rules, *(rule for part in ruleset.parts for rule in part.ruleset.rules))


def tree_of(ruleset: Ruleset) -> Sum:
    """The whole score as one sum."""
    start = len(ruleset.rules)
    parts = []
    for part in ruleset.parts:
        own = _own_terms(part.ruleset, start)
        parts.append(Sum(own, part.ruleset.settings.cap, part.weight, part.name))
        start += len(part.ruleset.rules)
    return Sum((*_own_terms(ruleset, 0), *parts), ruleset.settings.cap)


def fold(
    node: Sum,
    values: Sequence[Value],
    *,
    add: Callable[[Sequence[Value]], Value],
    bound: Callable[[Value, float], Value],
    scale: Callable[[Value, float], Value],
) -> Value:
    """The value of a sum from the values of the rules, by their positions. `add` of none is nothing."""
    added = add(
        [
            values[term] if isinstance(term, int) else fold(term, values, add=add, bound=bound, scale=scale)
            for term in node.terms
        ]
    )
    bounded = added if node.cap is None else bound(added, node.cap)
    return bounded if node.weight == 1.0 else scale(bounded, node.weight)


def _own_terms(ruleset: Ruleset, start: int) -> tuple[Sum | int, ...]:
    grouped: dict[str, list[int]] = {}
    for position, rule in enumerate(ruleset.rules, start):
        grouped.setdefault(rule.group, []).append(position)
    caps = {group.name: group.cap for group in ruleset.settings.groups}
    groups = [Sum(tuple(grouped[name]), cap, name=name) for name, cap in caps.items() if name in grouped]
    loose = [position for name, found in grouped.items() if name not in caps for position in found]
    return (*groups, *loose)
