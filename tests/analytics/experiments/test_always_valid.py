"""Evidence that may be looked at at any time: never more errors than promised, however often one looks."""

import itertools
import math
import random

import pytest

from analytics.experiments.always_valid import (
    LEAST,
    Arm,
    difference,
    evidence,
    expected_trials,
    p_value,
    rare_difference,
    rate,
)


def test_the_mixture_is_a_martingale_under_no_difference():
    # the mean over the next pair is the value now: exactly, for every history
    for untied in range(0, 60):
        for won in range(untied + 1):
            now = math.exp(evidence(won, untied))
            then = (math.exp(evidence(won + 1, untied + 1)) + math.exp(evidence(won, untied + 1))) / 2
            assert then == pytest.approx(now, rel=1e-9)


def test_evidence_is_the_same_for_both_sides_and_nothing_at_the_start():
    assert evidence(0, 0) == 0
    assert evidence(70, 100) == pytest.approx(evidence(30, 100))
    assert p_value(-3) == 1.0
    assert p_value(math.log(20)) == pytest.approx(0.05)


def test_peeking_after_every_pair_finds_a_difference_by_chance_no_more_often_than_alpha():
    dice = random.Random(3)
    # the boundary in the number of wins, for every number of pairs: found once, so that ten thousand runs are quick
    looks = 1_000
    boundary = []
    for untied in range(1, looks + 1):
        won = (untied + 1) // 2
        while won <= untied and evidence(won, untied) < math.log(20):
            won += 1
        boundary.append(2 * won - untied)
    wrong = 0
    for _ in range(10_000):
        lead = 0
        for limit in boundary:
            lead += 1 if dice.random() < 0.5 else -1
            if abs(lead) >= limit:
                wrong += 1
                break
    assert wrong / 10_000 <= 0.05
    assert wrong > 0


def test_the_confidence_sequence_covers_the_truth_at_all_looks_together():
    dice = random.Random(4)
    missed = 0
    runs = 400
    for _ in range(runs):
        base = challenger = 0
        for contacts in range(1, 3_001):
            base += dice.random() < 0.2
            challenger += dice.random() < 0.25
            if contacts % 50 == 0:
                found = difference(Arm(contacts, base), Arm(contacts, challenger))
                if found is not None and not found.low <= 0.05 <= found.high:
                    missed += 1
                    break
    assert missed / runs <= 0.05
    assert difference(Arm(1_000_000, 200_000), Arm(1_000_000, 250_000)).low > 0.045


def test_its_width_is_the_published_bound_of_the_two_sided_normal_mixture():
    # S. R. Howard and I. Waudby-Smith's own reference values, MixtureTest.TestTwoSidedNormalMixture in
    # https://github.com/gostevehoward/confseq/blob/70b1ef3/test/uniform_boundaries_unittest.cpp: tightest at 100, with
    # an alpha of .05, the mixture's precision is 12.60056, and a sum of 100 values of variance 1 is bound by 30.35209
    base, challenger = Arm(100, 20), Arm(100, 30)
    found = difference(base, challenger, alpha=0.05, tightest_at=100)
    spread = 0.2 * 0.8 + 0.3 * 0.7  # of one pair
    assert found is not None
    assert 100 * (found.high - found.low) / 2 / math.sqrt(spread) == pytest.approx(30.35209, abs=1e-5)
    # and of 10,000 values, from the same precision: sqrt((n + r) log((n + r) / (r alpha^2)))
    later = difference(Arm(10_000, 2_000), Arm(10_000, 3_000), alpha=0.05, tightest_at=100)
    scale = 10_000 + 12.60056
    bound = math.sqrt(scale * math.log(scale / (12.60056 * 0.05**2)))
    assert later is not None
    assert 10_000 * (later.high - later.low) / 2 / math.sqrt(spread) == pytest.approx(bound, rel=1e-6)


def test_too_few_conversions_have_no_interval():
    assert difference(Arm(1_000, LEAST - 1), Arm(1_000, 500)) is None
    assert difference(Arm(0, 0), Arm(0, 0)) is None
    assert difference(Arm(1_000, LEAST), Arm(1_000, 500)) is not None


def test_the_sequence_of_a_single_rate_covers_the_truth_at_all_looks_together():
    dice = random.Random(5)
    missed = 0
    runs = 400
    for _ in range(runs):
        converted = 0
        for contacts in range(1, 1_001):
            converted += dice.random() < 0.03
            if contacts % 10 == 1:
                found = rate(Arm(contacts, converted))
                if not found.low <= 0.03 <= found.high:
                    missed += 1
                    break
    assert missed / runs <= 0.05
    assert missed > 0


def test_a_rate_is_known_the_better_the_more_contacts_there_are():
    widths = [rate(Arm(contacts, contacts // 10)) for contacts in (0, 10, 100, 1_000, 100_000)]
    assert (widths[0].low, widths[0].high) == (0, 1)
    assert all(wide.high - wide.low > narrow.high - narrow.low for wide, narrow in itertools.pairwise(widths))
    assert widths[-1].low > 0.095 and widths[-1].high < 0.105
    assert rate(Arm(500, 0)).low == 0 and rate(Arm(500, 500)).high == 1


def test_harm_is_seen_where_the_base_does_none_at_all():
    assert difference(Arm(2_000, 0), Arm(2_000, 100)) is None
    found = rare_difference(Arm(2_000, 0), Arm(2_000, 100))
    assert 0.02 < found.low < 0.05 < found.high
    assert rare_difference(Arm(2_000, 40), Arm(2_000, 41)).low < 0


def test_the_expected_length_is_that_of_simulated_runs():
    dice = random.Random(6)
    share = 0.56
    lengths = []
    for _ in range(300):
        won = untied = 0
        while evidence(won, untied) < math.log(20):
            untied += 1
            won += dice.random() < share
        lengths.append(untied)
    assert expected_trials(share, alpha=0.05) == pytest.approx(sum(lengths) / len(lengths), rel=0.2)
