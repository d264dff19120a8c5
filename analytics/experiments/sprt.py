"""Wald's sequential probability ratio test of a share, and of two variants against each other. Pure.

Two variants are compared as Wald compares two processes (1947, "double dichotomies"): the i-th contact of one with the
i-th of the other. Pairs in which both converted, or neither, say nothing; of the others, the share in which the second
converted is 1/2 if the variants are alike, whatever the rate of conversion is, else
p2 (1 - p1) / (p2 (1 - p1) + p1 (1 - p2)). So a test of one known share decides between two unknown ones, and its error
rates hold at any rate of conversion."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

ALIKE = 0.5


@dataclass(frozen=True)
class Lines:
    """The boundaries in the plane of trials n and successes s: the null hypothesis is accepted when
    s <= slope * n - accept, rejected when s >= slope * n + reject, and neither as long as s is between."""

    slope: float
    accept: float
    reject: float


@dataclass(frozen=True)
class Simple:
    """A test of the share `p0` against `p1`: an error of the first kind at most about `alpha`, of the second `beta`."""

    p0: float
    p1: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not (0 < self.p0 < 1 and 0 < self.p1 < 1 and self.p0 != self.p1):
            raise ValueError("the two shares lie between 0 and 1 and differ")
        if not (0 < self.alpha < 1 and 0 < self.beta < 1 and self.alpha + self.beta < 1):
            raise ValueError("the two error rates lie between 0 and 1, and below 1 together")

    @property
    def upper(self) -> float:
        """The logarithm of the likelihood ratio from which on p1 is believed."""
        return math.log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        """Down from which p0 is."""
        return math.log(self.beta / (1 - self.alpha))

    def evidence(self, successes: int, trials: int) -> float:
        """The logarithm of the likelihood ratio, p1 over p0."""
        failures = trials - successes
        return successes * math.log(self.p1 / self.p0) + failures * math.log((1 - self.p1) / (1 - self.p0))

    def lines(self) -> Lines:
        """The boundaries as straight lines, for a p1 above p0."""
        step = math.log(self.p1 * (1 - self.p0) / (self.p0 * (1 - self.p1)))
        return Lines(
            slope=math.log((1 - self.p0) / (1 - self.p1)) / step,
            accept=-self.lower / step,
            reject=self.upper / step,
        )

    def expected_trials(self, share: float) -> float:
        """How many trials it takes on average when the true share is `share` (Wald's approximation, which leaves out
        by how much the last trial oversteps a boundary)."""
        up, down = math.log(self.p1 / self.p0), math.log((1 - self.p1) / (1 - self.p0))
        drift = share * up + (1 - share) * down
        if abs(drift) < 1e-12:
            return -self.upper * self.lower / (share * up**2 + (1 - share) * down**2)
        accepted = self.acceptance(share)
        return (accepted * self.lower + (1 - accepted) * self.upper) / drift

    def acceptance(self, share: float) -> float:
        """The probability that p0 is accepted when the true share is `share` (Wald's operating characteristic)."""
        power = self._power(share)
        if abs(power) < 1e-9:
            return self.upper / (self.upper - self.lower)
        high, low = math.exp(power * self.upper), math.exp(power * self.lower)
        return (high - 1) / (high - low)

    def _power(self, share: float) -> float:
        """The h other than 0 for which share (p1/p0)^h + (1 - share) ((1-p1)/(1-p0))^h = 1."""
        up, down = math.log(self.p1 / self.p0), math.log((1 - self.p1) / (1 - self.p0))

        def excess(h: float) -> float:
            return share * math.exp(h * up) + (1 - share) * math.exp(h * down) - 1

        drift = share * up + (1 - share) * down
        if abs(drift) < 1e-12:
            return 0.0
        # the function is convex and 0 at 0: the other root lies on the side against the drift
        inner, outer = (-1e-9, -1.0) if drift > 0 else (1e-9, 1.0)
        while excess(outer) < 0:
            inner, outer = outer, outer * 2
        for _ in range(200):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if excess(middle) < 0 else (inner, middle)
        return outer


@dataclass(frozen=True)
class Pairs:
    """What was seen: of `untied` pairs with one conversion, the challenger had it in `won`; `ties` said nothing."""

    won: int = 0
    untied: int = 0
    ties: int = 0


def pair(base: Iterable[bool], challenger: Iterable[bool]) -> Pairs:
    """The conversions of both variants in the order of assignment, paired off one by one; whoever is left over waits
    for a partner."""
    won = untied = ties = 0
    for mine, theirs in zip(base, challenger, strict=False):
        if mine == theirs:
            ties += 1
        else:
            untied += 1
            won += theirs
    return Pairs(won, untied, ties)


@dataclass(frozen=True)
class TwoSided:
    """Is the challenger better, worse or alike? Two tests side by side, each with half of `alpha`: against being better
    by `effect` (relative, 0.1 = +10 %) where the base converts at `rate`, and against being worse by as much."""

    rate: float
    effect: float
    alpha: float = 0.05
    beta: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 < self.effect < 1 or self.rate * (1 + self.effect) >= 1:
            raise ValueError("rate and effect lie between 0 and 1, and so does the rate that they make together")

    @property
    def better(self) -> Simple:
        return Simple(ALIKE, share_won(self.rate, self.rate * (1 + self.effect)), self.alpha / 2, self.beta)

    @property
    def worse(self) -> Simple:
        """Of the pairs that the base won, so that both tests look upwards."""
        return Simple(ALIKE, share_won(self.rate * (1 - self.effect), self.rate), self.alpha / 2, self.beta)

    def decide(self, seen: Pairs) -> str | None:
        """better · worse · alike, or None: go on."""
        better = self.better.evidence(seen.won, seen.untied)
        worse = self.worse.evidence(seen.untied - seen.won, seen.untied)
        if better >= self.better.upper:
            return "better"
        if worse >= self.worse.upper:
            return "worse"
        if better <= self.better.lower and worse <= self.worse.lower:
            return "alike"
        return None

    @property
    def untied(self) -> float:
        """In which share of the pairs one converts, if the challenger is better by just the effect."""
        challenger = self.rate * (1 + self.effect)
        return self.rate * (1 - challenger) + challenger * (1 - self.rate)

    def expected_pairs(self) -> float:
        """How many pairs it takes on average if the challenger is better by just the effect."""
        return self.better.expected_trials(self.better.p1) / self.untied

    def fixed_sample(self) -> int:
        """How many contacts of each variant a test would need that is looked at once, at the end: the usual formula for
        two shares, of the same error rates."""
        challenger = self.rate * (1 + self.effect)
        normal = NormalDist()
        reach = normal.inv_cdf(1 - self.alpha / 2) + normal.inv_cdf(1 - self.beta)
        variance = self.rate * (1 - self.rate) + challenger * (1 - challenger)
        return math.ceil(reach**2 * variance / (challenger - self.rate) ** 2)


def share_won(base: float, challenger: float) -> float:
    """Of the pairs with one conversion, the share in which the challenger has it."""
    mine, theirs = base * (1 - challenger), challenger * (1 - base)
    return theirs / (mine + theirs)
