"""When a score may rise, so at which instants a back-test looks. Pure.

Points only ever fade. As long as none is taken away, a score therefore rises only when something happens: an event, or
a change of an attribute that a rule asks about; looking there finds every crossing at its very instant. Points that
are taken away come back with time: where a window or a step ends, that instant is looked at, too; along a curve, and
where a condition looks at the time itself, the score is looked at once a step (see `step_of`), and a crossing may be
told up to a step late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from contacts.conditions.reading import ANY_EVENT, about_event, reads
from scoring.rulesets.rules import Rule, Ruleset

STEP = timedelta(days=1)
MOST_STEPS = 200
NOW_ONLY = ("tag", "list", "consent", "workflow")  # what conditions read as it is today


@dataclass(frozen=True)
class Rising:
    """`types`: events after which a score may be another one (None: any event). `attributes`: whether a condition asks
    for attributes. `ends`: (type, seconds) after which something that was taken away is given back at once. `curves`:
    types whose points come back little by little. `by_time`: whether a condition looks at the time itself.
    `as_now`: what conditions ask for that is read as it is today."""

    types: frozenset[str] | None
    attributes: bool
    ends: frozenset[tuple[str, float]]
    curves: frozenset[str]
    by_time: bool
    as_now: frozenset[str]

    @property
    def is_exact(self) -> bool:
        return not (self.curves or self.by_time)


def rising(rulesets: Iterable[Ruleset]) -> Rising:
    """Of all these versions together."""
    types: set[str] = set()
    ends: set[tuple[str, float]] = set()
    curves: set[str] = set()
    abouts: set[str] = set()
    by_time = False
    for rule, weight in (pair for ruleset in rulesets for pair in _weighed(ruleset)):
        for condition in (rule.condition, rule.where):
            if condition is not None:
                read = reads(condition)
                abouts |= read.abouts
                by_time = by_time or read.moves_with_time
        if rule.condition is not None:
            continue
        types.add(rule.event)
        if rule.points * weight < 0:
            if rule.within is not None:
                ends.add((rule.event, rule.within))
            if rule.decay.kind in ("step", "linear"):
                ends.add((rule.event, rule.decay.seconds))
            if rule.decay.kind in ("half_life", "linear"):
                curves.add(rule.event)
    prefix = about_event("")
    types |= {about.removeprefix(prefix) for about in abouts if about.startswith(prefix)}
    return Rising(
        types=None if ANY_EVENT in abouts else frozenset(types),
        attributes="attribute" in abouts,
        ends=frozenset(ends),
        curves=frozenset(curves),
        by_time=by_time,
        as_now=frozenset(_as_now(abouts)),
    )


def step_of(window: timedelta, *, speed: float) -> timedelta:
    """How far apart the looks are that nothing gives occasion to: a day, longer in a window of more than MOST_STEPS."""
    return max(STEP / speed, window / MOST_STEPS)


def _weighed(ruleset: Ruleset) -> Iterator[tuple[Rule, float]]:
    yield from ((rule, 1.0) for rule in ruleset.rules)
    for part in ruleset.parts:
        yield from ((rule, part.weight) for rule in part.ruleset.rules)


def _as_now(abouts: Iterable[str]) -> Iterator[str]:
    for about in abouts:
        if about in NOW_ONLY:
            yield about
        elif about.startswith("segment:"):
            yield "segment"
        elif about == about_event("lifecycle_changed"):
            yield "stage"
