"""The curve of how points fade, and its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.rulesets import curves, wording
from scoring.rulesets.decay import BadDecay, parse_decay, remaining


def corners(line: str) -> list[tuple[float, float]]:
    return [tuple(map(float, step[1:].split(" "))) for step in line.replace(" L", "|L").split("|")]


def test_a_half_life_is_read_period_by_period():
    drawn = curves.curve({"type": "half_life", "period": "P14D"}, 15)
    assert (drawn.said, drawn.ends) == ("halves every 14 days", "56 days")
    assert [(each.at, each.points, each.share) for each in drawn.readings] == [
        ("fresh", "+15", 1.0),
        ("7 days", "+10.61", pytest.approx(0.7071, abs=1e-4)),
        ("14 days", "+7.5", 0.5),
        ("28 days", "+3.75", 0.25),
        ("56 days", "+0.94", 0.0625),
    ]
    points = corners(drawn.line)
    assert points[0] == (0, 0) and points[-1][0] == curves.WIDTH
    assert points[len(points) // 4] == (25, curves.HEIGHT / 2)  # half of it is left after one of four periods


def test_a_line_falls_to_nothing_and_a_step_is_whole_until_then():
    assert corners(curves.curve({"type": "linear", "period": "P10D"}, 4).line) == [(0, 0), (66.67, 40), (100, 40)]
    step = curves.curve({"type": "step", "period": "PT6H"}, -4)
    assert corners(step.line) == [(0, 0), (66.67, 0), (66.67, 40), (100, 40)]
    assert [(each.at, each.points) for each in step.readings] == [
        ("fresh", "−4"), ("1.5 hours", "−4"), ("3 hours", "−4"), ("4.5 hours", "−4"), ("6 hours", "0"),
    ]  # fmt: skip


def test_what_never_fades_is_a_level():
    for none in (None, {}, {"type": "none"}):
        drawn = curves.curve(none, 5)
        assert corners(drawn.line) == [(0, 0), (100, 0)]
        assert [(each.at, each.points) for each in drawn.readings] == [("at any age", "+5")]


@pytest.mark.parametrize("fading", [{"type": "half_life"}, {"type": "odd", "period": "P1D"}, 5, {"period": "P1D"}])
def test_what_is_no_decay_has_no_curve(fading):
    assert curves.drawn(fading, 5) is None
    with pytest.raises(BadDecay):
        curves.curve(fading, 5)


@given(
    kind=st.sampled_from(["half_life", "linear", "step"]),
    days=st.integers(1, 3650),
    points=st.floats(-1e6, 1e6),
)
def test_the_curve_is_the_decay_that_scores_are_worked_out_with(kind, days, points):
    fading = {"type": kind, "period": f"P{days}D"}
    drawn, decay = curves.curve(fading, points), parse_decay(fading, speed=1.0)
    spans = curves.SPANS if kind == "half_life" else curves.BEYOND
    for across, down in corners(drawn.line):
        age = across / curves.WIDTH * spans * decay.seconds
        near = {remaining(decay, age * (1 - 1e-3)), remaining(decay, age * (1 + 1e-3))}
        share = 1 - down / curves.HEIGHT
        assert min(near) - 2e-3 <= share <= max(near) + 2e-3


@pytest.mark.parametrize(
    ("value", "words"),
    [(15, "+15"), (-2.5, "−2.5"), (0, "0"), (0.001, "0"), (1500.456, "+1,500.46"), (-0.004, "0"), (1e6, "+1,000,000")],
)
def test_points_are_written_with_their_sign(value, words):
    assert wording.signed(value) == words


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ("P1D", "1 day"), ("P2W", "14 days"), ("PT90M", "1 hour and 30 minutes"), ("P1DT12H", "1 day and 12 hours"),
        ("PT20S", "20 seconds"), ("soon", "soon"),
    ],
)  # fmt: skip
def test_spans_are_told_in_words(period, words):
    assert wording.span(period) == words


@pytest.mark.parametrize(
    ("repeat", "words"),
    [
        ({}, ""), (None, ""), ({"policy": "every_time"}, ""), ({"policy": "once"}, "only the newest counts"),
        ({"policy": "once_per", "period": "P1D"}, "at most once a day"),
        ({"policy": "once_per", "period": "PT1H"}, "at most once an hour"),
        ({"policy": "once_per", "period": "P7D"}, "at most once in 7 days"),
    ],
)  # fmt: skip
def test_how_often_events_count_is_told(repeat, words):
    assert wording.repeating(repeat) == words
