"""What is said of an experiment, and why."""

import math
import random
from dataclasses import replace

import pytest

from analytics.experiments import always_valid
from analytics.experiments.always_valid import Arm
from analytics.experiments.sprt import TwoSided, share_won
from analytics.experiments.verdicts import Guardrail, Paired, Plan, Seen, Split, judge, walk

PLAN = Plan(base="a", challengers=("b",), method="always_valid", alpha=0.05, power=0.8, effect=0.2, rate=0.1)
EVEN = {"a": 50.0, "b": 50.0}


def seen(contacts: int, base: float, challenger: float, seed: int = 1) -> Seen:
    dice = random.Random(seed)
    outcomes = [(dice.random() < base, dice.random() < challenger) for _ in range(contacts)]
    return Seen(
        splits=[Split({"a": contacts, "b": contacts}, EVEN)],
        arms={
            "a": Arm(contacts, sum(mine for mine, _ in outcomes)),
            "b": Arm(contacts, sum(theirs for _, theirs in outcomes)),
        },
        paired={
            "b": Paired(
                [theirs for mine, theirs in outcomes if mine != theirs],
                sum(mine == theirs for mine, theirs in outcomes),
            )
        },
    )


@pytest.mark.parametrize("method", ["sprt", "always_valid"])
def test_a_clear_difference_wins_whichever_side_it_is_on(method):
    plan = replace(PLAN, method=method)
    verdict = judge(plan, seen(4_000, 0.1, 0.15))
    assert (verdict.kind, verdict.variant) == ("winner", "b")
    assert "b converts better than a: +" in verdict.reason
    verdict = judge(plan, seen(4_000, 0.1, 0.06))
    assert (verdict.kind, verdict.variant) == ("winner", "a")


@pytest.mark.parametrize("method", ["sprt", "always_valid"])
def test_no_difference_is_said_in_the_end(method):
    verdict = judge(replace(PLAN, method=method), seen(30_000, 0.1, 0.1, seed=2))
    assert verdict.kind == "no_difference"
    assert verdict.reason == "No variant differs from a by 20% or more."


def test_too_little_keeps_running_and_says_how_much_longer():
    verdict = judge(PLAN, seen(300, 0.1, 0.11))
    assert verdict.kind == "keep_running"
    assert "more contacts of each variant" in verdict.reason
    nothing = judge(PLAN, Seen(arms={}, paired={}))
    assert nothing.kind == "keep_running"
    assert nothing.challenges[0].lift is None and nothing.challenges[0].interval is None


def test_a_broken_split_is_said_before_anything_else():
    verdict = judge(PLAN, replace(seen(4_000, 0.1, 0.2), splits=[Split({"a": 4_000, "b": 3_400}, EVEN)]))
    assert verdict.kind == "broken_split" and verdict.split_p_value < 0.001
    assert "weights promise" in verdict.reason


def test_a_guardrail_stops_a_winner():
    guardrail = Guardrail("Unsubscribes", 0.01, {"a": Arm(4_000, 40), "b": Arm(4_000, 400)})
    verdict = judge(PLAN, replace(seen(4_000, 0.1, 0.15), guardrails=[guardrail]))
    assert verdict.kind == "vetoed" and "Unsubscribes" in verdict.reason
    held = replace(guardrail, limit=0.2)
    assert judge(PLAN, replace(seen(4_000, 0.1, 0.15), guardrails=[held])).kind == "winner"


def test_more_challengers_need_more_evidence():
    data = seen(1_000, 0.1, 0.14, seed=6)
    alone = judge(PLAN, data).challenges[0]
    among = judge(replace(PLAN, challengers=tuple("bcdefghijklmnop")), data).challenges[0]
    assert alone.p_value == among.p_value and alone.decided == "better" and among.decided is None
    assert alone.interval.high - alone.interval.low < among.interval.high - among.interval.low


def test_a_decision_once_made_is_not_taken_back():
    data = seen(4_000, 0.1, 0.15)
    untied = list(data.paired["b"].untied)
    for method in ("sprt", "always_valid"):
        plan = replace(PLAN, method=method)
        reversed_later = replace(data, paired={"b": Paired(untied + [False] * 15)})
        assert judge(plan, reversed_later).kind == "winner"


def test_evidence_grows_pair_by_pair_as_the_formula_says():
    dice = random.Random(9)
    untied = [dice.random() < 0.6 for _ in range(300)]
    expected = max(always_valid.evidence(sum(untied[:count]), count) for count in range(len(untied) + 1))
    decided, highest = walk(untied, test=None, alpha=0.05, method="always_valid")
    assert decided == "better" and highest == pytest.approx(expected, abs=1e-9)
    assert always_valid.p_value(highest) == pytest.approx(math.exp(-expected))


def runs(share: float, *, count: int, length: int, seed: int, method: str) -> list[str | None]:
    """Decisions of runs with a look after every pair, by the rule itself."""
    dice = random.Random(seed)
    test = TwoSided(rate=0.1, effect=0.3, alpha=0.05, beta=0.2)
    return [
        walk([dice.random() < share for _ in range(length)], test=test, alpha=0.05, method=method)[0]
        for _ in range(count)
    ]


@pytest.mark.parametrize("method", ["sprt", "always_valid"])
def test_the_whole_rule_finds_nothing_by_chance_and_the_planned_effect_as_often_as_planned(method):
    by_chance = runs(0.5, count=600, length=1_200, seed=10, method=method)
    assert sum(each in ("better", "worse") for each in by_chance) / 600 <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5
    assert sum(each == "alike" for each in by_chance) > 500
    share = share_won(0.1, 0.13)
    planned = runs(share, count=600, length=1_800, seed=11, method=method)
    assert sum(each == "better" for each in planned) / 600 >= 0.8 - 3 * (0.8 * 0.2 / 600) ** 0.5
    assert planned.count("worse") <= 15


def test_the_rate_that_is_expected_is_the_one_of_the_first_pairs_unless_it_was_given():
    unknown = replace(PLAN, rate=None)
    data = seen(4_000, 0.1, 0.1)
    assert judge(unknown, data).challenges[0].test is None
    first = replace(data, paired={"b": replace(data.paired["b"], rate=0.08)})
    assert judge(unknown, first).challenges[0].test == TwoSided(rate=0.08, effect=0.2, alpha=0.05, beta=1 - 0.8)
    assert judge(PLAN, first).challenges[0].test.rate == 0.1


def test_a_change_of_weights_is_no_broken_split():
    data = seen(4_000, 0.1, 0.1)
    changed = [Split({"a": 2_000, "b": 2_000}, EVEN), Split({"a": 2_000, "b": 200}, {"a": 10.0, "b": 1.0})]
    assert judge(PLAN, replace(data, splits=changed)).kind != "broken_split"
    as_one = [Split({"a": 4_000, "b": 2_200}, EVEN)]
    assert judge(PLAN, replace(data, splits=as_one)).kind == "broken_split"


def test_only_who_breaks_a_guardrail_is_out_of_it():
    data = seen(4_000, 0.1, 0.15)
    both = replace(PLAN, challengers=("b", "c"))
    arms = {"a": Arm(4_000, 0), "b": Arm(4_000, 400), "c": Arm(4_000, 0)}
    harmed = replace(
        data,
        arms={**data.arms, "c": data.arms["b"]},
        paired={"b": data.paired["b"], "c": data.paired["b"]},
        guardrails=[Guardrail("Unsubscribes", 0.01, arms)],
    )
    verdict = judge(both, harmed)
    assert (verdict.kind, verdict.variant) == ("winner", "c")
    assert [(held.variant, held.broken) for held in verdict.guardrails] == [("b", True), ("c", False)]
    undecided = judge(PLAN, replace(seen(300, 0.1, 0.1), guardrails=[Guardrail("Unsubscribes", 0.01, arms)]))
    assert (undecided.kind, undecided.variant) == ("vetoed", "b")
