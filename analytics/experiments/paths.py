"""The way that the evidence took, against the boundaries at which it decides. Pure.

Drawn in the plane of the pairs in which one of two converted (from left to right) and of the challenger's lead in them
(its conversions less the base's): the boundaries of Wald's test are straight lines there, those of the mixture test two
curves that open slowly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.experiments import always_valid
from analytics.experiments.sprt import TwoSided

POINTS = 120
BEYOND = 1.15  # drawn a little further than what is expected
SHORTEST = 40


@dataclass(frozen=True)
class Point:
    """At `pairs` the challenger led by `lead` (None: still to come). It is better from `better` on and worse down from
    `worse`; alike between `alike_low` and `alike_high` (None: cannot be said there)."""

    pairs: int
    lead: int | None
    better: float | None
    worse: float | None
    alike_low: float | None
    alike_high: float | None


def path(untied: Sequence[bool], *, test: TwoSided | None, alpha: float, method: str) -> list[Point]:
    """At most about POINTS of them, the last one seen among them, from 0 to where the plan expects to end."""
    expected = 0.0
    if test is not None:
        share = test.better.p1
        is_sprt = method == "sprt"
        expected = test.better.expected_trials(share) if is_sprt else always_valid.expected_trials(share, alpha=alpha)
    longest = max(len(untied), math.ceil(expected * BEYOND), SHORTEST)
    step = max(1, math.ceil(longest / POINTS))
    places = sorted({*range(0, longest + 1, step), len(untied), longest})
    leads = {}
    lead = 0
    wanted = set(places)
    for place, won in enumerate(untied, start=1):
        lead += 1 if won else -1
        if place in wanted:
            leads[place] = lead
    leads[0] = 0
    return [_point(place, leads.get(place), test, alpha, method) for place in places]


def _point(place: int, lead: int | None, test: TwoSided | None, alpha: float, method: str) -> Point:
    better = worse = low = high = None
    if test is not None:
        up, down = test.better.lines(), test.worse.lines()
        high = _reachable((2 * up.slope - 1) * place - 2 * up.accept, place)
        low = _reachable(-((2 * down.slope - 1) * place - 2 * down.accept), place)
        if high is None or low is None or low > high:
            low = high = None
        if method == "sprt":
            better = _reachable((2 * up.slope - 1) * place + 2 * up.reject, place)
            worse = _reachable(-((2 * down.slope - 1) * place + 2 * down.reject), place)
    if method == "always_valid":
        better = _mixture_boundary(place, alpha)
        worse = None if better is None else -better
    return Point(place, lead, better, worse, low, high)


def _mixture_boundary(place: int, alpha: float) -> float | None:
    """The least lead at which the mixture test has its evidence."""
    if place == 0 or always_valid.evidence(place, place) < -math.log(alpha):
        return None
    low, high = place // 2, place
    while low < high:
        middle = (low + high) // 2
        if always_valid.evidence(middle, place) >= -math.log(alpha):
            high = middle
        else:
            low = middle + 1
    return float(2 * low - place)


def _reachable(lead: float, place: int) -> float | None:
    return lead if abs(lead) <= place else None
