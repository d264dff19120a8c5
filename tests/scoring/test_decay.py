"""The curves: a table, and the same curve in SQL."""

import math

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.rulesets.decay import BadDecay, Decay, parse_decay, remaining, remaining_sql

DAY = 86_400.0


@pytest.mark.parametrize(
    ("raw", "days", "share"),
    [
        ({}, 1000, 1.0),
        ({"type": "none"}, 1000, 1.0),
        ({"type": "half_life", "period": "P30D"}, 0, 1.0),
        ({"type": "half_life", "period": "P30D"}, 30, 0.5),
        ({"type": "half_life", "period": "P30D"}, 15, 0.7071067811865476),
        ({"type": "half_life", "period": "P2W"}, 28, 0.25),
        ({"type": "linear", "period": "P10D"}, 4, 0.6),
        ({"type": "linear", "period": "P10D"}, 10, 0.0),
        ({"type": "linear", "period": "P10D"}, 11, 0.0),
        ({"type": "step", "period": "P10D"}, 9.999, 1.0),
        ({"type": "step", "period": "P10D"}, 10, 0.0),
    ],
)
def test_so_much_is_left_of_the_points(raw, days, share):
    assert remaining(parse_decay(raw, speed=1.0), days * DAY) == pytest.approx(share)


@pytest.mark.parametrize("kind", ["half_life", "linear", "step"])
def test_nothing_that_fades_lasts_for_ever(kind):
    assert remaining(Decay(kind, DAY), math.inf) == 0.0


def test_a_faster_installation_fades_faster():
    assert parse_decay({"type": "half_life", "period": "P1D"}, speed=1440.0) == Decay("half_life", 60.0)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ("P30D", ""),
        ({"type": "sudden"}, "type"),
        ({"period": "P30D"}, "type"),
        ({"type": "linear"}, "period"),
        ({"type": "linear", "period": "P1M"}, "period"),
        ({"type": "linear", "period": "PT0S"}, "period"),
        ({"type": "linear", "period": 30}, "period"),
        ({"type": "none", "speed": 2}, "speed"),
    ],
)
def test_what_is_wrong_with_a_decay_is_named(raw, field):
    with pytest.raises(BadDecay) as error:
        parse_decay(raw, speed=1.0)
    assert error.value.field == field


@pytest.mark.django_db
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["none", "half_life", "linear", "step"]),
    period=st.floats(1.0, 1e9),
    age=st.integers(0, 10**16).map(lambda microseconds: microseconds / 1e6),
)
def test_sql_draws_the_same_curve(kind, period, age):
    decay = Decay(kind, period)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {remaining_sql(decay, 'age')} FROM (SELECT %s::float8 AS age) AS a", [age])
        assert cursor.fetchone()[0] == pytest.approx(remaining(decay, age), abs=1e-12)
