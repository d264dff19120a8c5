"""When alerts open, close and are told of: a table of instants, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analytics.health import alerts_deciding
from analytics.health.alerts import CRITICAL, WARNING, Source
from analytics.health.alerts_deciding import State

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SOURCE = Source("test", lambda now: [], opens_after=timedelta(seconds=60), closes_after=timedelta(seconds=120))


def play(sights: str, *, every: int = 30, can_tell: bool = True, **given) -> tuple[State | None, list[tuple[int, str]]]:
    """`sights`: one letter for each look: w(arning), c(ritical) or . (nothing). What was told, with the second."""
    state, told = given.pop("state", None), []
    for number, sight in enumerate(sights):
        at = START + timedelta(seconds=number * every)
        if sight == ".":
            if state is None:
                continue
            decision = alerts_deciding.gone(state, source=SOURCE, at=at, can_tell=can_tell)
        else:
            severity = CRITICAL if sight == "c" else WARNING
            decision = alerts_deciding.seen(
                state, severity, source=SOURCE, at=at, again_after=timedelta(seconds=600), can_tell=can_tell, **given
            )
        state = decision.state
        if decision.news:
            told.append((number * every, decision.news))
        if state and state.closed_at:
            state = None
    return state, told


@pytest.mark.parametrize(
    ("sights", "told"),
    [
        ("w", []),
        ("ww", []),
        ("www", [(60, "opened")]),
        ("wwwwww", [(60, "opened")]),
        ("ww.ww.ww.", []),  # never held for long enough
        ("www....", [(60, "opened")]),  # gone for 90 seconds only
        ("www.....", [(60, "opened"), (210, "closed")]),
        ("www...w...w...w", [(60, "opened")]),  # it flaps: neither the end nor a second opening
        ("www.....www", [(60, "opened"), (210, "closed"), (300, "opened")]),
        ("w" * 45, [(60, "opened"), (660, "again"), (1260, "again")]),
        ("wwwwc", [(60, "opened"), (120, "worse")]),
        ("wwwwcwcwc", [(60, "opened"), (120, "worse")]),  # once critical, it stays so
        ("ccc.....", [(60, "opened"), (210, "closed")]),
    ],
)
def test_what_is_told_and_when(sights, told):
    assert play(sights)[1] == told


def test_what_brews_is_forgotten_when_it_is_gone():
    assert play("ww.")[0] is None


def test_whoever_cannot_tell_tells_when_he_can():
    state, told = play("wwww", can_tell=False)
    assert told == [] and state is not None and state.opened_at is not None
    assert play("w", state=state)[1] == [(0, "opened")]


def test_the_end_of_what_was_never_told_is_not_told():
    state, _ = play("wwww", can_tell=False)
    assert play(".....", state=state)[1] == []


def test_a_silence_holds_back_the_opening_until_it_is_over():
    until = START + timedelta(seconds=200)
    assert play("wwwwwwww", silenced_until=until)[1] == [(210, "opened")]


def test_a_silence_holds_back_the_repetition_but_neither_the_worsening_nor_the_end():
    state, _ = play("wwwww")
    quiet = State(**{**vars(state), "silenced_until": START + timedelta(days=1)})
    assert play("w" * 50, state=quiet)[1] == []
    assert play("wc", state=quiet)[1] == [(30, "worse")]
    assert play(".....", state=quiet)[1] == [(120, "closed")]
