"""Turns at a domain: never more than its rate, nobody skipped, no campaign before a welcome mail; and Redis gives the
turns of the model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contacts import redis_index
from delivery.rates import pacing, turns
from delivery.rates.turns import BURST, URGENT_SHARE, Lines

LANES = st.sampled_from(["urgent", "bulk"])
# how long after the one before, in which lane, how many
ASKED = st.lists(st.tuples(st.floats(0, 20), LANES, st.integers(0, 30)), max_size=12)
RATES = st.sampled_from([0.2, 1.0, 5.0, 20.0, 333.0])


def play(asked: list[tuple[float, str, int]], rate: float) -> list[tuple[float, str, float]]:
    """(when it was asked for, by which lane, the instant of the turn) of each message."""
    lines, now, given_ = Lines(), 1_000_000.0, []
    for gap, lane, count in asked:
        now += gap
        given_ += [(now, lane, now + wait) for wait in turns.reserve(lines, count, rate=rate, lane=lane, now=now)]
    return given_


@given(asked=ASKED, rate=RATES)
def test_in_no_window_are_there_more_turns_than_the_rate_and_what_was_saved_up(asked, rate):
    at = sorted(turn for _, _, turn in play(asked, rate))
    for first in range(len(at)):
        for last in range(first, len(at)):
            # two lines, of each of which the first turn of a window may be just due
            assert last - first + 1 <= (at[last] - at[first] + BURST) * rate + 2 + 1e-6


@given(asked=ASKED, rate=RATES)
def test_nobody_has_a_turn_before_they_asked_and_a_lane_keeps_its_order(asked, rate):
    found = play(asked, rate)
    assert all(turn >= now for now, _, turn in found)
    bulk = [turn for _, lane, turn in found if lane == "bulk"]
    assert bulk == sorted(bulk)


@given(asked=ASKED, rate=RATES, campaign=st.integers(0, 5000))
def test_a_campaign_of_any_length_makes_no_urgent_mail_wait_for_more_than_its_own_lane(asked, rate, campaign):
    urgent = [each for each in asked if each[1] == "urgent"]
    lines, now, sent = Lines(), 1_000_000.0, 0
    turns.reserve(lines, campaign, rate=rate, lane="bulk", now=now)
    for gap, lane, count in urgent:
        now += gap
        waits = turns.reserve(lines, count, rate=rate, lane=lane, now=now)
        sent += count
        assert all(wait <= sent / (rate * URGENT_SHARE) for wait in waits)


def test_urgent_mail_has_the_whole_rate_where_no_campaign_uses_it():
    waits = turns.reserve(Lines(), 100, rate=20, lane="urgent", now=1000.0)
    assert max(waits) == pytest.approx(100 / 20 - BURST, abs=0.2)


def test_after_a_silence_a_seconds_worth_goes_at_once():
    waits = turns.reserve(Lines(), 20, rate=20, lane="urgent", now=1000.0)
    assert waits == [0.0] * 20


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(asked=ASKED, rate=RATES)
@example(asked=[(1.0, "bulk", 2), (0.0, "urgent", 3), (0.0, "bulk", 1)], rate=5.0)  # both lines at the same instant
def test_redis_gives_the_turns_of_the_model(asked, rate, settings):
    settings.RECIPIENT_DOMAIN_RATES = {"shop.example": rate}
    for line in ("urgent", "bulk"):
        redis_index.connection().delete(redis_index.key(f"turns:shop.example:{line}"))
    lines, now = Lines(), datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    for gap, lane, count in asked:
        now += timedelta(seconds=gap)
        ours = pacing.turns_of(["a@shop.example"] * count, lane=lane, now=now)
        model = turns.reserve(lines, count, rate=rate, lane=lane, now=now.timestamp())
        assert [wait.total_seconds() for wait in ours] == pytest.approx(model, abs=0.002)
