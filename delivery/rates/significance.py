"""Whether a share is over its limit, or it may be chance. Pure."""

from __future__ import annotations

import math

ALPHA = 0.005  # of a domain whose true share is just at the limit, so many looks would brake it by chance


def is_over(hits: int, trials: int, limit: float, *, alpha: float = ALPHA) -> bool:
    """Whether `hits` of `trials` are more than chance makes of a true share of `limit`: P(X >= hits) < alpha for X of
    the binomial distribution (trials, limit), the exact one-sided test. A naive ratio would brake a domain for one
    complaint in three hundred mails."""
    if not 0 < limit < 1:
        return False
    if trials <= 0 or hits <= limit * trials:
        return False
    return _upper_tail(min(hits, trials), trials, limit) < alpha


def _upper_tail(hits: int, trials: int, share: float) -> float:
    """P(X >= hits), where hits > trials * share: from there on each term is less than the one before."""
    term = math.exp(
        math.lgamma(trials + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(trials - hits + 1)
        + hits * math.log(share)
        + (trials - hits) * math.log1p(-share)
    )
    total = 0.0
    for seen in range(hits, trials + 1):
        total += term
        term *= (trials - seen) / (seen + 1) * share / (1 - share)
        if term <= total * 1e-12:
            break
    return total
