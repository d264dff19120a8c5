"""When a score will next cross a level if nothing more happens: positives decay down, negatives decay up. Pure.

A score flows: a sum of terms, some of them within caps, that is bounded on any stretch of time. So a stretch on which
the bound does not reach the level holds no crossing, however the curves are mixed and wherever they jump. What is left
is halved, earlier half first, until the first crossing is known to a second. Where the search would take too long, it
answers with an instant before which there is none: whoever looks then, looks again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scoring.rulesets.arithmetic import Sum, fold
from scoring.rulesets.decay import Decay, remaining

RESOLUTION = 1.0  # seconds
MOST_STRETCHES = 600
_DECIMALS = 6
# Half of the last decimal of a rounded score; a little less of it where that spares looking at every second of a score
# that only comes near its level.
_ROUNDING = 5e-7
_SURELY = 4e-7


@dataclass(frozen=True)
class Term:
    """What one rule contributes.

    `standing` is the faded number of the events that have no date of their own any more (those of rules without window
    and without decay or with a half-life, whose sum fades as one). Of the others the age in seconds at the start is
    known, below 0 for an event that is still to come: `ages` of those that count one by one, `slots` of those of which
    only the newest that has come counts, slot by slot. Events count while they are younger than `within`, if it is
    given."""

    points: float
    cap: float | None
    decay: Decay
    standing: float = 0.0
    ages: tuple[float, ...] = ()
    slots: tuple[tuple[float, ...], ...] = ()
    within: float | None = None

    def at(self, elapsed: float) -> float:
        """The points after `elapsed` seconds."""
        return self._bounded(elapsed, elapsed)

    def extreme(self, start: float, end: float, *, most: bool) -> float:
        """A bound of the points on the stretch from `start` to `end` (which may be infinite), from above or below.

        The magnitude is least with what has come by the start, as old as at the end; and most the other way round:
        points only ever fade, and an event that comes takes the place of none of which more is left."""
        outward = (self.points >= 0) is most
        return self._bounded(end, start) if outward else self._bounded(start, end)

    def speed(self, elapsed: float, *, rising: bool) -> float:
        """How many points a second the term gives up, or gains, at most from `elapsed` on until something jumps. It
        never gets faster: what fades by halves is slowest at its end, a straight line is straight."""
        if (self.points < 0) is not rising or self.decay.kind in ("none", "step"):
            return 0.0
        fading = [max(0.0, age + elapsed) for age in self.ages if age + elapsed >= 0]
        for slot in self.slots:
            fading += [min((age + elapsed for age in slot if age + elapsed >= 0), default=math.inf)]
        if self.decay.kind == "linear":
            return abs(self.points) * sum(age < self.decay.seconds for age in fading) / self.decay.seconds
        left = self.standing * remaining(self.decay, elapsed) + sum(map(self._left, fading))
        return abs(self.points) * left * math.log(2) / self.decay.seconds

    def jumps(self) -> Iterator[float]:
        """The instants, in seconds from the start, at which the points change at once."""
        for age in itertools.chain(self.ages, *self.slots):
            yield -age
            if self.decay.kind == "step":
                yield self.decay.seconds - age
            if self.within is not None:
                yield self.within - age

    def scaled(self, weight: float) -> Term:
        cap = None if self.cap is None else self.cap * abs(weight)
        return replace(self, points=self.points * weight, cap=cap)

    def _bounded(self, come_by: float, faded_to: float) -> float:
        count = self.standing * remaining(self.decay, faded_to) if self.standing else 0.0
        for age in self.ages:
            if age + come_by >= 0:
                count += self._left(age + faded_to)
        for slot in self.slots:
            count += max((self._left(age + faded_to) for age in slot if age + come_by >= 0), default=0.0)
        points = self.points * count
        return points if self.cap is None else _within(points, self.cap)

    def _left(self, age: float) -> float:
        if self.within is not None and age >= self.within:
            return 0.0
        return remaining(self.decay, max(0.0, age))


@dataclass(frozen=True)
class Flow:
    """A score as time goes on: what is `constant`, what the `terms` give, and flows that are `capped`, each with its
    bound. Weights are worked into them."""

    constant: float = 0.0
    terms: tuple[Term, ...] = ()
    capped: tuple[tuple[Flow, float], ...] = ()

    def at(self, elapsed: float) -> float:
        """The score after `elapsed` seconds, not rounded."""
        parts = [self.constant, *(term.at(elapsed) for term in self.terms)]
        parts += [_within(flow.at(elapsed), cap) for flow, cap in self.capped]
        return math.fsum(parts)

    def extreme(self, start: float, end: float, *, most: bool) -> float:
        """A bound on a stretch of time, as that of a term: whatever is added or capped is so without turning round."""
        parts = [self.constant, *(term.extreme(start, end, most=most) for term in self.terms)]
        parts += [_within(flow.extreme(start, end, most=most), cap) for flow, cap in self.capped]
        return math.fsum(parts)

    def speed(self, elapsed: float, *, rising: bool) -> float:
        """As that of a term; a cap makes nothing faster."""
        parts = [term.speed(elapsed, rising=rising) for term in self.terms]
        return math.fsum([*parts, *(flow.speed(elapsed, rising=rising) for flow, _ in self.capped)])

    def jumps(self) -> Iterator[float]:
        for term in self.terms:
            yield from term.jumps()
        for flow, _ in self.capped:
            yield from flow.jumps()

    @property
    def is_still(self) -> bool:
        return not self.terms and not self.capped


def flow_of(tree: Sum, values: Sequence[Term | float]) -> Flow:
    """How a score flows, from what each rule gives by its position in `arithmetic.rules_of`: a term, or points that do
    not change with time and are within the rule's cap already."""
    flows = [Flow(terms=(value,)) if isinstance(value, Term) else Flow(value) for value in values]
    return fold(tree, flows, add=_added, bound=_capped, scale=_scaled)


def _added(flows: Sequence[Flow]) -> Flow:
    if len(flows) == 1:
        return flows[0]
    constants = [flow.constant for flow in flows]
    terms: list[Term] = []
    standing: dict[Decay, float] = {}
    for term in (term for flow in flows for term in flow.terms):
        if term.ages or term.slots or term.cap is not None:
            terms.append(term)
        elif term.decay.kind == "none":
            constants.append(term.points * term.standing)
        else:  # what halves in the same time fades as one
            standing[term.decay] = standing.get(term.decay, 0.0) + term.points * term.standing
    terms += [Term(points, None, decay, 1.0) for decay, points in standing.items()]
    return Flow(math.fsum(constants), tuple(terms), tuple(capped for flow in flows for capped in flow.capped))


def _capped(flow: Flow, cap: float) -> Flow:
    return Flow(_within(flow.constant, cap)) if flow.is_still else Flow(capped=((flow, cap),))


def _scaled(flow: Flow, weight: float) -> Flow:
    capped = tuple((_scaled(inner, weight), cap * abs(weight)) for inner, cap in flow.capped)
    return Flow(flow.constant * weight, tuple(term.scaled(weight) for term in flow.terms), capped)


def _within(value: float, cap: float) -> float:
    return max(-cap, min(cap, value))


@dataclass(frozen=True)
class Level:
    """Where a crossing lies: a rising score crosses when it is at least `value`, a falling one when it is below."""

    value: float
    rising: bool

    def crossed(self, score: float) -> bool:
        return round(score, _DECIMALS) >= self.value if self.rising else round(score, _DECIMALS) < self.value

    def out_of_reach(self, extreme: float) -> bool:
        """Whether no score up to (for a rising one) or down to `extreme` has crossed."""
        return extreme < self.value - _ROUNDING if self.rising else extreme >= self.value - _SURELY


def level_of(threshold: float, *, above: bool, hysteresis: float) -> Level:
    """What a score has to do next to cross: reach the threshold; or, for who is above, fall below it by the share
    `hysteresis` of it."""
    if above:
        return Level(round(threshold * (1 - hysteresis), _DECIMALS), rising=False)
    return Level(threshold, rising=True)


def next_look(flow: Flow, *, level: Level, horizon: float) -> float | None:
    """In how many seconds somebody has to look again: at the first crossing after the start, or, if that is not found
    within `horizon` or takes too long to find, at some instant before it. None: it can never be crossed.

    The score has not crossed at the start. Never more than RESOLUTION after the first crossing."""

    def excluded(start: float, end: float) -> bool:
        return level.out_of_reach(flow.extreme(start, end, most=level.rising))

    if excluded(0.0, math.inf):
        return None
    # a jump may reach the level for an instant only, so it is looked at exactly
    jumps = {jump for jump in flow.jumps() if 0 < jump < horizon}
    stretches = list(itertools.pairwise(sorted({0.0, horizon} | jumps)))[::-1]
    looked = 0
    while stretches:
        if looked == MOST_STRETCHES:
            return max(stretches[-1][0], RESOLUTION)
        looked += 1
        start, end = stretches.pop()
        if excluded(start, end):
            continue
        score = flow.at(start)
        if start in jumps and level.crossed(score):
            return start
        # it takes so long at least, at the speed with which the stretch begins
        far, speed = abs(score - level.value) - _ROUNDING, flow.speed(start, rising=level.rising)
        ahead = 0.0
        if far > 0 and not level.crossed(score):
            ahead = end - start if speed == 0 else min(end - start, far / speed)
            start += ahead
        if end - start > RESOLUTION:
            middle = min((start + end) / 2, start + 2 * ahead) if ahead > RESOLUTION else (start + end) / 2
            stretches += [(middle, end), (start, middle)]
        elif level.crossed(flow.at(end)):
            return end
    return None if excluded(horizon, math.inf) else horizon
