"""Evidence that may be looked at after every contact: a mixture sequential test, and confidence sequences. Pure.

The p-value is a mixture SPRT on the pairs of `sprt`: the likelihood ratio of the untied pairs, averaged over shares by
a symmetric Beta distribution, against 1/2. With no difference it is a martingale with mean 1, at any rate of conversion
and from the first pair on, so the chance that it ever reaches 1/alpha is at most alpha (Ville). It is exact.

The confidence sequence of the difference is Robbins' normal mixture (as Johari, Pekelis and Walsh 2017 and Waudby-Smith
et al. 2021 use it): it holds at all times together, asymptotically, so it is not told before `LEAST` conversions and
non-conversions were seen in each variant. That of a single rate is exact from the first contact on."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST = 10
# The sum of the Beta distribution's parameters: it looks for shares within about 0.07 of 1/2, that is for relative
# effects of 10 to 30 %.
CONCENTRATION = 200.0


def evidence(won: float, untied: int) -> float:
    """The logarithm of the mixture likelihood ratio."""
    half = CONCENTRATION / 2
    mixed = _log_beta(half + won, half + untied - won) - _log_beta(half, half)
    return mixed + untied * math.log(2)


def expected_trials(share: float, *, alpha: float) -> int:
    """After about how many untied pairs the evidence is there, if the challenger wins `share` of them, not 1/2."""
    least, most = 1, 2
    while evidence(share * most, most) < -math.log(alpha):
        least, most = most, most * 2
    while least < most:
        middle = (least + most) // 2
        if evidence(share * middle, middle) >= -math.log(alpha):
            most = middle
        else:
            least = middle + 1
    return most


def p_value(highest: float) -> float:
    """From the highest evidence that there ever was: a p-value that only falls and may be acted on at any time."""
    return min(1.0, math.exp(-highest))


@dataclass(frozen=True)
class Arm:
    """`converted` of `contacts` did."""

    contacts: int
    converted: int

    @property
    def rate(self) -> float:
        return self.converted / self.contacts if self.contacts else 0.0


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def rate(arm: Arm, *, alpha: float = 0.05) -> Interval:
    """A confidence sequence of a single rate, exact at every time: the rates against which the mixture of all rates
    (weighed by Jeffreys' distribution) has not yet gathered evidence of 1/alpha (Robbins 1970)."""
    if not arm.contacts:
        return Interval(0.0, 1.0)
    lost = arm.contacts - arm.converted
    mixed = _log_beta(0.5 + arm.converted, 0.5 + lost) - _log_beta(0.5, 0.5)

    def is_excluded(share: float) -> bool:
        likelihood = (arm.converted * math.log(share) if arm.converted else 0.0) + (
            lost * math.log1p(-share) if lost else 0.0
        )
        return mixed - likelihood >= -math.log(alpha)

    def edge(outside: float) -> float:
        inside = arm.rate
        for _ in range(30):  # to a billionth
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if is_excluded(middle) else (middle, outside)
        return outside

    return Interval(edge(0.0) if arm.converted else 0.0, edge(1.0) if lost else 1.0)


def difference(base: Arm, challenger: Arm, *, alpha: float = 0.05, tightest_at: float = 5000.0) -> Interval | None:
    """A confidence sequence of rate(challenger) - rate(base): with a probability of 1 - alpha it covers the truth at
    every time. `tightest_at` is the number of contacts in a variant at which it is tightest. None: too few yet."""
    if any(min(arm.converted, arm.contacts - arm.converted) < LEAST for arm in (base, challenger)):
        return None
    variance = sum(arm.rate * (1 - arm.rate) / arm.contacts for arm in (base, challenger))
    # in the time of the harmonic mean of both sample sizes, with the variance of one pair
    pairs = 2 / (1 / base.contacts + 1 / challenger.contacts)
    spread = variance * pairs
    ratio = _mixing(alpha) / tightest_at  # of the mixture's variance to that of a pair
    scale = 1 + pairs * ratio
    width = math.sqrt(spread * scale / (pairs**2 * ratio) * (math.log(scale) - 2 * math.log(alpha)))
    middle = challenger.rate - base.rate
    return Interval(max(-1.0, middle - width), min(1.0, middle + width))


def rare_difference(base: Arm, challenger: Arm, *, alpha: float = 0.05) -> Interval:
    """The same for what happens to few or to nobody, as harm should: from the exact sequences of both rates, each with
    half of `alpha`, so it needs no least number of happenings. Wider than `difference` where both may be told."""
    mine, theirs = rate(base, alpha=alpha / 2), rate(challenger, alpha=alpha / 2)
    return Interval(theirs.low - mine.high, theirs.high - mine.low)


def _mixing(alpha: float) -> float:
    """n times the ratio that makes the sequence tightest at n (Howard et al. 2021, the first two terms)."""
    return -2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
