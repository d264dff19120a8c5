"""The pure side of experiments: buckets, shares, and how little moves when weights change."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows import experiments
from workflows.experiments import BUCKETS, Range

WEIGHTS = st.dictionaries(
    st.sampled_from("abcdef"), st.one_of(st.integers(0, 1000), st.floats(0, 100)), min_size=2, max_size=6
).filter(lambda weights: sum(weights.values()) > 0.001)


def owners(owned: tuple[Range, ...]) -> list[str]:
    return [experiments.variant_of(owned, number) for number in range(BUCKETS)]


@given(WEIGHTS)
def test_quotas_fill_all_buckets_and_are_never_a_whole_bucket_off(weights):
    quotas = experiments.quotas(weights)
    whole = sum(weights.values())
    assert sum(quotas.values()) == BUCKETS
    for variant, weight in weights.items():
        assert abs(quotas[variant] - weight / whole * BUCKETS) < 1.001
        assert weight > 0 or quotas[variant] == 0


@given(st.lists(WEIGHTS, min_size=1, max_size=6))
def test_every_bucket_has_one_owner_and_every_variant_its_quota_whatever_the_history(history):
    owned = experiments.ranges(history)
    assert [each.start for each in owned] == [0, *(each.stop for each in owned[:-1])]
    assert owned[-1].stop == BUCKETS
    sizes = Counter[str]()
    for each in owned:
        sizes[each.variant] += each.stop - each.start
    assert sizes == Counter({variant: size for variant, size in experiments.quotas(history[-1]).items() if size})


@given(st.lists(WEIGHTS, min_size=2, max_size=5))
def test_changing_weights_moves_no_more_buckets_than_the_new_shares_ask_for(history):
    before, after = experiments.ranges(history[:-1]), experiments.ranges(history)
    old, new = experiments.quotas(history[-2]), experiments.quotas(history[-1])
    least = sum(max(size - new.get(variant, 0), 0) for variant, size in old.items())
    moved = sum(one != other for one, other in zip(owners(before), owners(after), strict=True))
    assert moved == least


def test_the_same_weights_again_move_nobody():
    history = [{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 0}]
    assert experiments.ranges(history) == experiments.ranges([*history, history[-1]])


def test_weights_need_not_sum_to_anything_and_only_their_proportion_counts():
    assert experiments.ranges([{"a": 45, "b": 45, "holdout": 10}]) == (
        Range(0, 4500, "a"), Range(4500, 9000, "b"), Range(9000, 10_000, "holdout"),
    )  # fmt: skip
    assert experiments.quotas({"a": 9, "b": 9, "holdout": 2}) == experiments.quotas({"a": 45, "b": 45, "holdout": 10})


@pytest.mark.parametrize("experiment", ["story-or-offer", "subject-line"])
def test_a_hundred_thousand_contacts_fall_into_the_shares_that_were_asked_for(experiment):
    owned = experiments.ranges([{"a": 50, "b": 30, "c": 20}])
    found = Counter(experiments.variant_of(owned, experiments.bucket(experiment, n)) for n in range(100_000))
    expected = {"a": 50_000, "b": 30_000, "c": 20_000}
    chi_square = sum((found[variant] - size) ** 2 / size for variant, size in expected.items())
    assert chi_square < 18.4  # two degrees of freedom, one in ten thousand


def test_two_experiments_share_nobody_more_often_than_chance_would():
    owned = experiments.ranges([{"a": 1, "b": 1, "c": 1, "d": 1}])
    found = Counter(
        (
            experiments.variant_of(owned, experiments.bucket("one", n)),
            experiments.variant_of(owned, experiments.bucket("other", n)),
        )
        for n in range(100_000)
    )
    expected = 100_000 / 16
    chi_square = sum((found[one, other] - expected) ** 2 / expected for one in "abcd" for other in "abcd")
    assert chi_square < 44.3  # fifteen degrees of freedom, one in ten thousand


def test_an_experiment_and_a_holdout_of_the_same_name_are_independent():
    """The salts differ, so whoever is held out of a journey is no special group in its experiment."""
    from workflows.entry import buckets

    same = sum(experiments.bucket("12", n) == buckets.bucket("holdout:12", n) for n in range(20_000))
    assert same < 20
