"""The curve of a score: the projection at many instants, past and to come."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.lifecycle import stages
from scoring.projection import history, scores
from scoring.rulesets import reading, versions
from tests.scoring import chance, oracle
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = timedelta(microseconds=1)


def curve(contact_id, since=NOW - 10 * DAY, until=NOW, **more):
    return dict(history.curve(contact_id, since=since, until=until, **more))


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(lead=chance.combined, others=st.tuples(chance.rulesets, chance.rulesets), life=chance.lives)
def test_every_point_of_the_curve_is_the_score_of_its_instant(person, lead, others, life):
    asked = chance.activate(lead, others, now=NOW)
    events, attributes = life
    contact_id = person(attributes=attributes)
    write_history(contact_id, events)
    found = curve(contact_id, since=NOW - 40 * DAY, until=NOW + 20 * DAY, points=7)
    for at, score in found.items():
        assert score == pytest.approx(oracle.whole(asked, events, at, attributes), abs=1e-6)
    at = min(found)
    assert scores.of(contact_ids=[contact_id], at=at) == {contact_id: found[at]}


def test_a_curve_goes_in_equal_steps_from_the_first_instant_to_the_last(person, activated):
    activated(rule("visited", 16, decay={"type": "half_life", "period": "P1D"}))
    contact_id = person()
    write_history(contact_id, [Happened("visited", NOW - 20 * DAY)])
    found = curve(contact_id, since=NOW - 18 * DAY, until=NOW - 14 * DAY, points=5)
    assert found == {NOW - days * DAY: 16 * 0.5 ** (20 - days) for days in (18, 17, 16, 15, 14)}


def test_the_curve_shows_the_moment_of_an_event_and_the_one_before(person, activated):
    activated(rule("visited", 5))
    contact_id = person()
    at = NOW - timedelta(days=3, hours=1, minutes=7)
    write_history(contact_id, [Happened("visited", at), Happened("unscored", at + DAY)])
    found = curve(contact_id, points=2)
    assert found == {NOW - 10 * DAY: 0.0, at - BEFORE: 0.0, at: 5.0, NOW: 5.0}


def test_the_curve_goes_on_with_nothing_more_happening(person, activated):
    activated(
        rule("visited", 5, decay={"type": "step", "period": "P2D"}),
        {"name": "lately", "signal": {"event": "visited", "within": "P3D"}, "points": 7},
        {"name": "twice", "signal": {"event": "visited", "op": "gte", "count": 1, "within": "P4D"}, "points": 9},
    )
    contact_id = person()
    write_history(contact_id, [Happened("visited", NOW)])
    found = curve(contact_id, since=NOW, until=NOW + 10 * DAY, points=2)
    assert found == {
        NOW: 21.0,
        NOW + 2 * DAY - BEFORE: 21.0,
        NOW + 2 * DAY: 16.0,
        NOW + 3 * DAY - BEFORE: 16.0,
        NOW + 3 * DAY: 9.0,
        NOW + 4 * DAY - BEFORE: 9.0,
        NOW + 4 * DAY: 0.0,
        NOW + 10 * DAY: 0.0,
    }


def test_the_curve_has_a_point_where_the_stage_changed(person, activated):
    activated(rule("visited", 5))
    contact_id = person()
    with transaction.atomic():
        stages.move(contact_ids=[contact_id], to_stage="lead", reason="because", source="api", now=NOW - DAY)
    assert set(curve(contact_id, points=2)) == {NOW - 10 * DAY, NOW - DAY - BEFORE, NOW - DAY, NOW}


def test_of_many_jumps_some_of_every_stretch_are_kept(person, activated):
    activated(rule("visited", 1))
    contact_id = person()
    write_history(contact_id, [Happened("visited", NOW - timedelta(hours=hour, minutes=1)) for hour in range(240)])
    found = curve(contact_id, points=11)
    jumps = sorted(at for at in found if at.minute == 59 and at.second == 0)
    assert len(jumps) == history.MOST_JUMPS and len(found) == 11 + 2 * len(jumps)
    assert {later - sooner for sooner, later in itertools.pairwise(jumps)} == {timedelta(hours=2)}
    assert found[NOW] == 240.0


def test_the_curve_of_another_score_or_of_a_draft(person, activated):
    activated(rule("visited", 5), name="fit")
    draft = versions.write_draft({"rules": [rule("visited", 20)]}, now=NOW)
    contact_id = person()
    write_history(contact_id, [Happened("visited", NOW - DAY)])
    assert curve(contact_id) == {}
    assert curve(contact_id, name="fit")[NOW] == 5.0
    assert curve(contact_id, ruleset=reading.version(draft))[NOW] == 20.0


def test_a_curve_costs_two_statements(person, activated):
    activated(*(rule(kind, 5) for kind in ("visited", "asked", "opened")))
    contact_id = person()
    write_history(contact_id, [Happened("visited", NOW - day * DAY) for day in range(9)])
    with CaptureQueriesContext(connection) as queries:
        curve(contact_id)
    assert len(queries) == 2


@pytest.mark.parametrize("wrong", [{"until": NOW - 10 * DAY}, {"points": 1}, {"points": 1001}])
def test_a_curve_that_cannot_be_drawn_is_refused(person, activated, wrong):
    with pytest.raises(ValueError, match="must be"):
        curve(person(), **wrong)


def test_nobody_has_no_curve(activated):
    activated(rule("visited", 5))
    with pytest.raises(LookupError):
        curve(987_654_321)
