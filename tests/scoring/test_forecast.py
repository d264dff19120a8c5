"""The forecast against looking at every minute."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.crossings.forecast import Level, Term, next_look
from scoring.rulesets.decay import Decay, remaining

HOUR = 3600.0
DAY = 24 * HOUR


HALVES_DAILY = Decay("half_life", DAY)


def term(points, *ages, decay=HALVES_DAILY, cap=None):
    return Term(points, cap, decay, 0.0, ages)


def look(*terms, level, constant=0.0, horizon=180 * DAY):
    return next_look(terms=terms, constant=constant, level=level, horizon=horizon)


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
    as_one = look(Term(30.0, None, Decay("half_life", DAY), 1.5, ()), level=Level(20.0, rising=False))
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


ages = st.lists(st.integers(-20, 60).map(lambda hours: hours * HOUR), min_size=1, max_size=4).map(tuple)
decays = st.one_of(
    st.just(Decay()),
    st.builds(Decay, st.sampled_from(["half_life", "linear", "step"]), st.integers(1, 48).map(lambda h: h * HOUR)),
)
terms = st.lists(
    st.builds(
        lambda points, cap, decay, ages: Term(float(points), cap, decay, 0.0, ages),
        st.integers(-60, 80).filter(bool),
        st.one_of(st.none(), st.integers(10, 90).map(float)),
        decays,
        ages,
    ),
    min_size=1,
    max_size=4,
)


def score_after(terms, seconds):
    total = 0.0
    for one in terms:
        gained = sum(
            one.points * remaining(one.decay, age + seconds) for age in one.ages if age + seconds >= 0
        )  # fmt: skip
        total += gained if one.cap is None else max(-one.cap, min(one.cap, gained))
    return round(total, 6)


@settings(max_examples=300, deadline=None)
@given(terms=terms, rising=st.booleans())
def test_the_first_crossing_is_the_one_that_a_look_at_every_minute_finds(terms, rising):
    level = Level(60.0, rising=True) if rising else Level(54.0, rising=False)
    if level.crossed(score_after(terms, 0.0)):
        return
    horizon = 3 * DAY
    minutes = (minute * 60.0 for minute in range(1, int(horizon / 60) + 1))
    seen = next((minute for minute in minutes if level.crossed(score_after(terms, minute))), None)
    found = next_look(terms=terms, constant=0.0, level=level, horizon=horizon)
    if seen is not None:
        assert found is not None and found <= seen + 1
    if found is not None and found < horizon and level.crossed(score_after(terms, found)):
        assert seen is not None and seen - 60 <= found
