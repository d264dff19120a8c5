"""Whether a share is over its limit or it may be chance."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.rates.significance import ALPHA, is_over


@pytest.mark.parametrize(
    ("hits", "trials", "limit", "over"),
    [
        (1, 300, 0.003, False),  # a naive ratio of one third of a percent
        (2, 100, 0.003, False),
        (3, 100, 0.003, True),
        (8, 1000, 0.003, False),
        (10, 1000, 0.003, True),
        (400, 100_000, 0.003, True),
        (330, 100_000, 0.003, False),
        (6, 100, 0.05, False),
        (30, 200, 0.05, True),
        (0, 0, 0.05, False),
        (5, 5, 0.05, True),
        (1000, 10, 0.05, True),  # more complaints than deliveries were heard of
        (50, 100, 0.0, False),
        (50, 100, 1.0, False),
    ],
)
def test_what_chance_explains_brakes_nobody(hits, trials, limit, over):
    assert is_over(hits, trials, limit) is over


@given(trials=st.integers(1, 60), limit=st.floats(0.001, 0.5))
def test_it_is_the_exact_tail_of_the_binomial_distribution(trials, limit):
    for hits in range(trials + 1):
        tail = sum(
            math.comb(trials, seen) * limit**seen * (1 - limit) ** (trials - seen) for seen in range(hits, trials + 1)
        )
        if math.isclose(tail, ALPHA, rel_tol=1e-9):
            continue
        assert is_over(hits, trials, limit) is (hits > limit * trials and tail < ALPHA)


@given(trials=st.integers(1, 5_000_000), limit=st.floats(0.0001, 0.2), share=st.floats(0, 1))
def test_more_hits_never_make_it_better(trials, limit, share):
    hits = int(trials * share)
    assert is_over(hits, trials, limit) <= is_over(min(hits + 1, trials), trials, limit)
