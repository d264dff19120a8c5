"""The forecast against looking at every minute."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.crossings.forecast import Flow, Level, Term, flow_of, next_look
from scoring.rulesets.arithmetic import Sum
from scoring.rulesets.decay import Decay, remaining

HOUR = 3600.0
DAY = 24 * HOUR


HALVES_DAILY = Decay("half_life", DAY)


def term(points, *ages, decay=HALVES_DAILY, cap=None, **more):
    return Term(points, cap, decay, ages=ages, **more)


def look(*terms, level, constant=0.0, horizon=180 * DAY):
    return next_look(Flow(constant, terms), level=level, horizon=horizon)


def test_one_half_life_crosses_where_the_formula_says():
    found = look(term(100.0, 0.0), level=Level(50.0, rising=False))
    assert DAY <= found <= DAY + 1


def test_the_answer_is_never_before_the_crossing():
    found = look(term(97.0, 0.0), level=Level(54.0, rising=False))
    exact = DAY * math.log2(97 / 54)
    assert exact <= found <= exact + 1


def test_a_negative_that_fades_lets_the_score_rise():
    exact = DAY * math.log2(20 / 10)
    assert look(term(-20.0, 0.0), constant=70.0, level=Level(60.0, rising=True)) == pytest.approx(exact, abs=1)


def test_what_stands_fades_like_its_events():
    one_by_one = look(term(30.0, 0.0, DAY), level=Level(20.0, rising=False))
    as_one = look(Term(30.0, None, Decay("half_life", DAY), 1.5), level=Level(20.0, rising=False))
    assert one_by_one == pytest.approx(as_one, abs=1)


def test_points_that_never_fade_never_fall():
    assert look(term(60.0, 0.0, decay=Decay()), level=Level(54.0, rising=False)) is None


def test_a_score_that_only_fades_never_rises():
    assert look(term(59.0, 0.0), level=Level(60.0, rising=True)) is None


def test_a_level_that_is_approached_and_not_reached_is_no_crossing():
    assert look(term(40.0, 0.0), constant=54.0, level=Level(54.0, rising=False)) is None


def test_a_step_crosses_when_its_period_is_over():
    found = look(term(60.0, HOUR, decay=Decay("step", DAY)), level=Level(54.0, rising=False))
    assert 23 * HOUR <= found <= 23 * HOUR + 1


def test_an_event_that_is_still_to_come_crosses_when_it_comes():
    found = look(term(60.0, -2 * HOUR), level=Level(60.0, rising=True))
    assert 2 * HOUR <= found <= 2 * HOUR + 1


def test_a_cap_keeps_the_score_up_until_the_sum_is_below_it():
    exact = DAY * math.log2(200 / 54)
    found = look(term(50.0, 0.0, 0.0, 0.0, 0.0, cap=60.0), level=Level(54.0, rising=False))
    assert found == pytest.approx(exact, abs=1)


def test_what_cannot_be_told_within_the_horizon_is_looked_at_again_then():
    assert look(term(100.0, 0.0), level=Level(50.0, rising=False), horizon=HOUR) == HOUR


def test_a_score_that_stays_on_the_level_is_answered_in_bounded_time():
    flat = [term(10.0, 0.0), term(-10.0, 0.0)]
    found = look(*flat, constant=54.0, level=Level(54.0, rising=False))
    assert found is not None and found >= 1.0


def test_a_window_that_ends_is_a_jump():
    found = look(term(60.0, HOUR, decay=Decay(), within=DAY), level=Level(54.0, rising=False))
    assert found == 23 * HOUR


def test_of_a_slot_only_the_newest_counts_and_one_that_comes_takes_its_place():
    once = Term(40.0, None, HALVES_DAILY, slots=((DAY, -HOUR),))
    assert once.at(0.0) == pytest.approx(20.0)
    assert once.at(HOUR) == pytest.approx(40.0)
    assert next_look(Flow(30.0, (once,)), level=Level(60.0, rising=True), horizon=DAY) == HOUR


def test_a_cap_of_a_group_hides_what_fades_above_it():
    group = Sum((0, 1), cap=60.0)
    flow = flow_of(Sum((group,)), [term(50.0, 0.0), term(50.0, 0.0)])
    exact = DAY * math.log2(100 / 54)
    assert next_look(flow, level=Level(54.0, rising=False), horizon=180 * DAY) == pytest.approx(exact, abs=1)


def test_a_part_with_a_negative_weight_pushes_up_as_it_fades():
    flow = flow_of(Sum((0, Sum((1,), weight=-0.5))), [70.0, term(40.0, 0.0)])
    assert flow.at(0.0) == pytest.approx(50.0)
    assert next_look(flow, level=Level(60.0, rising=True), horizon=180 * DAY) == pytest.approx(DAY, abs=1)


def test_what_only_comes_near_its_level_is_not_looked_at_every_second():
    flow = Flow(54.0, (term(1e-9, 0.0), term(-1e-9, 0.0)))
    assert next_look(flow, level=Level(54.0, rising=False), horizon=180 * DAY) is None


ages = st.lists(st.integers(-20, 60).map(lambda hours: hours * HOUR), min_size=1, max_size=4).map(tuple)
decays = st.one_of(
    st.just(Decay()),
    st.builds(Decay, st.sampled_from(["half_life", "linear", "step"]), st.integers(1, 48).map(lambda h: h * HOUR)),
)
terms = st.builds(
    lambda points, cap, decay, ages, together, within: Term(
        float(points),
        cap,
        decay,
        ages=() if together else ages,
        slots=(ages,) if together else (),
        within=within,
    ),
    st.integers(-60, 80).filter(bool),
    st.one_of(st.none(), st.integers(10, 90).map(float)),
    decays,
    ages,
    st.booleans(),
    st.one_of(st.none(), st.integers(1, 60).map(lambda hours: hours * HOUR)),
)
values = st.lists(terms, min_size=4, max_size=4)
caps = st.one_of(st.none(), st.integers(20, 120).map(float))
weights = st.sampled_from([1.0, 0.5, -0.5, 2.0])
trees = st.one_of(
    st.builds(lambda cap: Sum((0, 1, 2, 3), cap), caps),
    st.builds(lambda group, cap: Sum((Sum((0, 1), group), 2, 3), cap), caps, caps),
    st.builds(
        lambda group, part, weight, cap: Sum((0, Sum((Sum((1, 2), group), 3), part, weight)), cap),
        caps, caps, weights, caps,
    ),
)  # fmt: skip


def points_after(one, seconds):
    """Worked out event by event."""
    come = [age + seconds for age in (*one.ages, *(one.slots[0] if one.slots else ())) if age + seconds >= 0]
    if one.slots:
        come = come and [min(come)]
    gained = one.points * sum(remaining(one.decay, age) for age in come if one.within is None or age < one.within)
    return gained if one.cap is None else max(-one.cap, min(one.cap, gained))


def score_after(tree, values, seconds):
    total = sum(
        points_after(values[part], seconds) if isinstance(part, int) else score_after(part, values, seconds)
        for part in tree.terms
    )
    return tree.weight * (total if tree.cap is None else max(-tree.cap, min(tree.cap, total)))


@settings(max_examples=300, deadline=None)
@given(tree=trees, values=values, rising=st.booleans())
def test_the_first_crossing_is_the_one_that_a_look_at_every_minute_finds(tree, values, rising):
    level = Level(60.0, rising=True) if rising else Level(54.0, rising=False)
    if level.crossed(score_after(tree, values, 0.0)):
        return
    horizon = 3 * DAY
    minutes = (minute * 60.0 for minute in range(1, int(horizon / 60) + 1))
    seen = next((minute for minute in minutes if level.crossed(score_after(tree, values, minute))), None)
    found = next_look(flow_of(tree, values), level=level, horizon=horizon)
    if seen is not None:
        assert found is not None and found <= seen + 1
    if found is not None and found < horizon and level.crossed(score_after(tree, values, found)):
        # it may be over by the next minute (found by chance: 13 seconds, then an event came); but it began just now
        before = [found - second for second in range(2, 61) if found > second]
        assert not any(level.crossed(score_after(tree, values, each)) for each in before)


@settings(max_examples=300, deadline=None)
@given(tree=trees, values=values, start=st.integers(0, 80), length=st.integers(0, 40))
def test_no_score_of_a_stretch_lies_beyond_its_bounds(tree, values, start, length):
    flow = flow_of(tree, values)
    first, last = start * HOUR, (start + length) * HOUR
    low, high = flow.extreme(first, last, most=False), flow.extreme(first, last, most=True)
    for step in range(21):
        score = score_after(tree, values, first + (last - first) * step / 20)
        assert low - 1e-9 <= score <= high + 1e-9
    assert flow.extreme(first, math.inf, most=False) <= low + 1e-9
    assert flow.extreme(first, math.inf, most=True) >= high - 1e-9
