"""Did the variants get the contacts that their weights promise? A test that may be looked at at any time. Pure.

The likelihood of the counts, averaged over shares by a Dirichlet distribution around the promised ones, over their
likelihood under the promised ones (Lindon and Malek 2020). While the promise is kept this is a martingale with mean
1, so it reaches 1/alpha with a chance of at most alpha, ever."""

from __future__ import annotations

import math
from collections.abc import Sequence


def evidence(counts: Sequence[int], shares: Sequence[float], *, concentration: float = 1000.0) -> float:
    """The logarithm of the ratio. `shares` are above 0 and add up to 1; who has a share of 0 is left out by the
    caller. A mismatch is told from about 7 on (one chance in a thousand)."""
    whole = sum(counts)
    mixed = math.lgamma(concentration) - math.lgamma(concentration + whole)
    for count, share in zip(counts, shares, strict=True):
        prior = concentration * share
        mixed += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return mixed
