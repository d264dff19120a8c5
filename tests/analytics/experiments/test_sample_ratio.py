"""A broken split is seen, a sound one hardly ever suspected."""

import math
import random

import pytest

from analytics.experiments.sample_ratio import evidence


def test_it_is_a_martingale_under_the_promised_shares():
    shares = (0.45, 0.45, 0.1)
    for counts in [(0, 0, 0), (5, 3, 1), (400, 500, 90), (0, 40, 0)]:
        now = math.exp(evidence(counts, shares))
        then = sum(
            share * math.exp(evidence([count + (at == place) for at, count in enumerate(counts)], shares))
            for place, share in enumerate(shares)
        )
        assert then == pytest.approx(now, rel=1e-9)


def test_a_split_that_lost_a_tenth_of_one_variant_is_told():
    assert evidence([5_000, 4_500], [0.5, 0.5]) > math.log(1000)
    assert evidence([5_000, 4_950], [0.5, 0.5]) < 0


def test_a_sound_split_is_suspected_no_more_often_than_promised():
    dice = random.Random(5)
    wrong = 0
    for _ in range(300):
        counts = [0, 0]
        for seen in range(1, 2_001):
            counts[dice.random() < 0.5] += 1
            if seen % 10 == 0 and evidence(counts, [0.5, 0.5]) >= math.log(20):
                wrong += 1
                break
    assert wrong / 300 <= 0.05
