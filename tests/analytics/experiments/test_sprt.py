"""Wald's test: its boundaries by his formulas, and its error rates as simulated. test_published_plans.py compares the
boundaries with published examples."""

import math
import random

import pytest

from analytics.experiments.sprt import ALIKE, Pairs, Simple, TwoSided, pair, share_won


def test_lines_and_evidence_say_the_same():
    test = Simple(0.1, 0.3, 0.02, 0.03)
    lines = test.lines()
    for trials in range(1, 200):
        for successes in range(trials + 1):
            rejects = successes >= lines.slope * trials + lines.reject
            accepts = successes <= lines.slope * trials - lines.accept
            assert rejects == (test.evidence(successes, trials) >= test.upper)
            assert accepts == (test.evidence(successes, trials) <= test.lower)


def test_the_operating_characteristic_meets_the_two_error_rates():
    test = Simple(0.1, 0.3, 0.02, 0.03)
    assert test.acceptance(0.1) == pytest.approx(0.98, abs=1e-9)
    assert test.acceptance(0.3) == pytest.approx(0.03, abs=1e-9)
    slope = test.lines().slope
    assert test.acceptance(slope) == pytest.approx(test.upper / (test.upper - test.lower), abs=1e-6)
    assert test.expected_trials(slope) > test.expected_trials(0.1)


@pytest.mark.parametrize("bad", [(0.1, 0.1, 0.05, 0.2), (0, 0.1, 0.05, 0.2), (0.1, 1, 0.05, 0.2), (0.1, 0.2, 0.6, 0.5)])
def test_what_is_no_test_is_refused(bad):
    with pytest.raises(ValueError, match="lie between"):
        Simple(*bad)


def test_pairs_are_made_in_the_order_of_assignment():
    assert pair([True, False, False], [True, True, False, True]) == Pairs(won=1, untied=1, ties=2)
    assert share_won(0.1, 0.1) == ALIKE


def run(test: TwoSided, base: float, challenger: float, dice: random.Random) -> tuple[str, int]:
    """The decision and the pairs that it took, looking after every pair."""
    better, worse = test.better, test.worse
    up, down = better.evidence(1, 1), better.evidence(0, 1)
    up_worse, down_worse = worse.evidence(1, 1), worse.evidence(0, 1)
    untied = base * (1 - challenger) + challenger * (1 - base)
    share = share_won(base, challenger)
    for_better = for_worse = 0.0
    steps = 0
    while True:
        steps += 1
        won = dice.random() < share
        for_better += up if won else down
        for_worse += down_worse if won else up_worse
        decision = None
        if for_better >= better.upper:
            decision = "better"
        elif for_worse >= worse.upper:
            decision = "worse"
        elif for_better <= better.lower and for_worse <= worse.lower:
            decision = "alike"
        if decision is not None:
            return decision, round(steps / untied)


def test_with_a_look_after_every_pair_nobody_wins_by_chance_more_often_than_alpha():
    dice = random.Random(1)
    test = TwoSided(rate=0.1, effect=0.3, alpha=0.05, beta=0.2)
    decisions = [run(test, 0.1, 0.1, dice)[0] for _ in range(10_000)]
    wrong = sum(decision != "alike" for decision in decisions) / len(decisions)
    assert wrong <= 0.05 + 3 * (0.05 * 0.95 / 10_000) ** 0.5
    assert wrong > 0.02  # and it is a test, not a silence


def test_at_the_planned_effect_it_has_the_planned_power_with_fewer_contacts_than_a_fixed_test():
    dice = random.Random(2)
    test = TwoSided(rate=0.1, effect=0.3, alpha=0.05, beta=0.2)
    runs = [run(test, 0.1, 0.13, dice) for _ in range(4_000)]
    power = sum(decision == "better" for decision, _ in runs) / len(runs)
    pairs = sum(taken for _, taken in runs) / len(runs)
    assert power >= 0.8 - 3 * (0.8 * 0.2 / 4_000) ** 0.5
    # the usual formula for two shares: (1.96 + 0.8416)^2 (p1 q1 + p2 q2) / (p2 - p1)^2 in each variant
    fixed = (1.959964 + 0.841621) ** 2 * (0.1 * 0.9 + 0.13 * 0.87) / 0.03**2
    assert pairs < 0.75 * fixed
    assert pairs == pytest.approx(test.expected_pairs(), rel=0.25)


def test_a_decision_of_the_whole_is_that_of_its_pairs():
    test = TwoSided(rate=0.2, effect=0.5)
    assert test.decide(Pairs()) is None
    assert test.decide(Pairs(won=180, untied=250)) == "better"
    assert test.decide(Pairs(won=70, untied=250)) == "worse"
    assert test.decide(Pairs(won=250, untied=500)) == "alike"


@pytest.mark.parametrize(
    ("shares", "rates", "digits", "lines"),
    [
        ((0.01, 0.10), (0.05, 0.10), 3, (0.0397, 0.939, 1.205)),
        ((0.1, 0.3), (0.02, 0.03), 2, (0.186, 2.58, 2.88)),
        ((0.01, 0.06), (0.05, 0.10), 2, (0.028, 1.22, 1.57)),
    ],
)
def test_the_lines_of_three_plans(shares, rates, digits, lines):
    # With g = log(p1 (1 - p0) / (p0 (1 - p1))): the slope is log((1 - p0) / (1 - p1)) / g, and on its two sides lie
    # log((1 - alpha) / beta) / g and log((1 - beta) / alpha) / g. Worked from these formulas, not taken from a source.
    found = Simple(*shares, *rates).lines()
    assert (round(found.slope, digits + 1), round(found.accept, digits), round(found.reject, digits)) == lines


@pytest.mark.parametrize(("rate", "effect"), [(0.1, 0.3), (0.02, 0.5), (0.6, 0.1)])
def test_two_variants_are_compared_by_the_ratio_of_their_odds_alone(rate, effect):
    # of the pairs with one conversion the challenger wins the share u / (1 + u), with u the ratio of the odds: put into
    # the lines above, against u = 1, this gives log((1 + u) / 2) / log(u) for the slope, and log(u) for g
    test = TwoSided(rate=rate, effect=effect, alpha=0.05, beta=0.2)
    better = rate * (1 + effect)
    odds = better * (1 - rate) / (rate * (1 - better))
    lines = test.better.lines()
    assert lines.slope == pytest.approx(math.log((1 + odds) / 2) / math.log(odds))
    assert lines.reject == pytest.approx(math.log((1 - 0.2) / 0.025) / math.log(odds))
    assert lines.accept == pytest.approx(-math.log(0.2 / (1 - 0.025)) / math.log(odds))


def test_a_fixed_test_needs_what_the_textbooks_say():
    # 5 % against 6 %, alpha .05, power .8, by hand: 2.8016^2 (.0475 + .0564) / .01^2
    assert TwoSided(rate=0.05, effect=0.2).fixed_sample() == 8_155
