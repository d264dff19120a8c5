"""When a score will next cross a level if nothing more happens: positives decay down, negatives decay up. Pure.

The score is a sum of terms that are each bounded on any stretch of time, so a stretch on which the bound does not reach
the level holds no crossing, however the curves are mixed and wherever they jump. What is left is halved, earlier half
first, until the first crossing is known to a second. Where the search would take too long, it answers with an instant
before which there is none: whoever looks then, looks again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scoring.rulesets.decay import Decay, remaining

RESOLUTION = 1.0  # seconds
MOST_STRETCHES = 600
_ROUNDING = 5e-7  # half of the last decimal of a rounded score


@dataclass(frozen=True)
class Term:
    """What one rule contributes. `standing` is the faded number of the events that have no date of their own any more
    (those of rules without decay or with a half-life, whose sum fades as one); `ages` are the others, one by one, in
    seconds at the start; below 0 for an event that is still to come."""

    points: float
    cap: float | None
    decay: Decay
    standing: float
    ages: tuple[float, ...]

    def at(self, elapsed: float) -> float:
        """The points after `elapsed` seconds."""
        return self._bounded(elapsed, elapsed)

    def extreme(self, start: float, end: float, *, most: bool) -> float:
        """A bound of the points on the stretch from `start` to `end` (which may be infinite), from above or below.

        The magnitude is least with what has come by the start, as old as at the end; and most the other way round."""
        outward = (self.points >= 0) is most
        return self._bounded(end, start) if outward else self._bounded(start, end)

    def jumps(self) -> Iterator[float]:
        """The instants, in seconds from the start, at which the points change at once."""
        for age in self.ages:
            yield -age
            if self.decay.kind == "step":
                yield self.decay.seconds - age

    def _bounded(self, come_by: float, faded_to: float) -> float:
        count = self.standing * remaining(self.decay, faded_to) if self.standing else 0.0
        for age in self.ages:
            if age + come_by >= 0:
                count += remaining(self.decay, max(0.0, age + faded_to))
        points = self.points * count
        return points if self.cap is None else max(-self.cap, min(self.cap, points))


@dataclass(frozen=True)
class Level:
    """Where a crossing lies: a rising score crosses when it is at least `value`, a falling one when it is below."""

    value: float
    rising: bool

    def crossed(self, score: float) -> bool:
        return round(score, 6) >= self.value if self.rising else round(score, 6) < self.value

    def out_of_reach(self, extreme: float) -> bool:
        """Whether no score up to (for a rising one) or down to `extreme` has crossed."""
        return extreme < self.value - _ROUNDING if self.rising else extreme >= self.value


def next_look(*, terms: Sequence[Term], constant: float, level: Level, horizon: float) -> float | None:
    """In how many seconds somebody has to look again: at the first crossing after the start, or, if that is not found
    within `horizon` or takes too long to find, at some instant before it. None: it can never be crossed.

    `constant` is what does not change with time. The score has not crossed at the start. Never more than RESOLUTION
    after the first crossing."""

    def excluded(start: float, end: float) -> bool:
        bounds = [term.extreme(start, end, most=level.rising) for term in terms]
        return level.out_of_reach(constant + math.fsum(bounds))

    def crossed(elapsed: float) -> bool:
        return level.crossed(constant + math.fsum(term.at(elapsed) for term in terms))

    if excluded(0.0, math.inf):
        return None
    # a jump may reach the level for an instant only, so it is looked at exactly
    jumps = {jump for term in terms for jump in term.jumps() if 0 < jump < horizon}
    stretches = list(itertools.pairwise(sorted({0.0, horizon} | jumps)))[::-1]
    looked = 0
    while stretches:
        if looked == MOST_STRETCHES:
            return max(stretches[-1][0], RESOLUTION)
        looked += 1
        start, end = stretches.pop()
        if excluded(start, end):
            continue
        if start in jumps and crossed(start):
            return start
        if end - start > RESOLUTION:
            middle = (start + end) / 2
            stretches += [(middle, end), (start, middle)]
        elif crossed(end):
            return end
    return None if excluded(horizon, math.inf) else horizon
