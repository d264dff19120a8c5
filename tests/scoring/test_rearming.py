"""Hysteresis and rest as each ruleset says; several scores; and when the next crossing is to be expected."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from scoring.crossings import outlook, thresholds
from scoring.crossings.outlook import Outlook
from scoring.models import ScoreCrossing, ScoreThreshold
from tests.scoring.conftest import rule
from tests.scoring.playing import NOW, check, check_at, let_time_pass, record, work_off

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
HALF_LIFE = {"type": "half_life", "period": "P1D"}


def told(contact_id, name="lead"):
    rows = ScoreCrossing.objects.filter(contact_id=contact_id, score_name=name).order_by("id")
    return [("up" if row.upward else "down", row.crossed_at) for row in rows]


@pytest.mark.parametrize(("share", "falls_after"), [(0.5, 2 * DAY), (0.0, DAY)])
def test_the_fall_is_told_at_the_share_that_the_ruleset_says(person, activated, share, falls_after):
    activated(rule("asked", 120, decay=HALF_LIFE), hysteresis=share)
    ada = person()
    record(ada, "asked")
    check()
    let_time_pass(ada, NOW + 5 * DAY)
    (_, (direction, at)) = told(ada)
    assert direction == "down" and NOW + falls_after <= at <= NOW + falls_after + SECOND


def test_a_turn_during_the_rest_is_told_at_its_end_if_it_still_holds(person, activated):
    activated(rule("asked", 60), rule("left", -50), rearm_after="PT2H")
    ada = person()
    record(ada, "asked")
    check()
    record(ada, "left", NOW + HOUR)
    check(NOW + HOUR)
    assert check_at(ada) == NOW + 2 * HOUR and len(told(ada)) == 1
    let_time_pass(ada, NOW + DAY)
    assert told(ada) == [("up", NOW), ("down", NOW + 2 * HOUR)]


def test_a_turn_during_the_rest_that_is_taken_back_is_never_told(person, activated):
    activated(rule("asked", 60), rule("left", -50), rearm_after="PT2H")
    ada = person()
    record(ada, "asked")
    check()
    for hours, kind in ((0.5, "left"), (1, "asked")):
        record(ada, kind, NOW + hours * HOUR)
        check(NOW + hours * HOUR)
    let_time_pass(ada, NOW + DAY)
    assert told(ada) == [("up", NOW)]


def test_a_fall_by_decay_during_the_rest_waits_for_its_end(person, activated):
    activated(rule("asked", 60, decay=HALF_LIFE), rearm_after="P2D")
    ada = person()
    record(ada, "asked")
    check()
    let_time_pass(ada, NOW + 9 * DAY)
    assert told(ada) == [("up", NOW), ("down", NOW + 2 * DAY)]


def test_every_score_is_compared_at_its_own_thresholds(person, activated):
    activated(rule("asked", 30), name="fit", mql_threshold=50)
    activated(rule("visited", 30), name="engagement", mql_threshold=30)
    activated(name="total", mql_threshold=40, parts={"fit": 1, "engagement": 0.5})
    with transaction.atomic():
        thresholds.declare("workflow:1", [20], now=NOW, name="fit")
    ada = person()
    record(ada, "asked", NOW + MINUTE)
    record(ada, "visited", NOW + MINUTE)
    work_off(NOW + MINUTE)
    found = ScoreCrossing.objects.values_list("score_name", "threshold").order_by("score_name")
    assert sorted(found) == [("engagement", 30), ("fit", 20), ("total", 40)]


def test_an_owner_watches_thresholds_of_one_score(activated):
    activated(rule("asked", 30), name="fit")
    with transaction.atomic():
        thresholds.declare("workflow:1", [20], now=NOW)
        thresholds.declare("workflow:1", [20, 30], now=NOW, name="fit")
    assert sorted(ScoreThreshold.objects.values_list("score_name", "threshold")) == [("fit", 20), ("fit", 30)]


def test_the_outlook_tells_when_the_score_falls(person, activated):
    activated(rule("asked", 108, decay=HALF_LIFE))
    ada = person()
    record(ada, "asked")
    check()
    found = outlook.next_crossing(ada, now=NOW)
    assert (found.threshold, found.rising, found.is_certain) == (60, False, True)
    assert NOW + DAY <= found.at <= NOW + DAY + SECOND
    let_time_pass(ada, NOW + 2 * DAY)
    assert told(ada)[1:] == [("down", found.at)]


def test_the_outlook_looks_past_the_end_of_windows_of_conditions(person, activated):
    recent = {"event": "asked", "op": "gte", "count": 1, "within": "P7D"}
    later = {"event": "visited", "op": "gte", "count": 1, "within": "P2D"}
    activated({"name": "r", "signal": recent, "points": 60}, {"name": "l", "signal": later, "points": 5})
    ada = person()
    record(ada, "asked")
    record(ada, "visited")
    check()
    assert outlook.next_crossing(ada, now=NOW + MINUTE) == Outlook(60, rising=False, at=NOW + 7 * DAY)


def test_the_outlook_waits_for_the_end_of_the_rest(person, activated):
    activated(rule("asked", 60, decay=HALF_LIFE), rearm_after="P2D")
    ada = person()
    record(ada, "asked")
    check()
    assert outlook.next_crossing(ada, now=NOW + MINUTE) == Outlook(60, rising=False, at=NOW + 2 * DAY)


def test_a_rise_is_foreseen_too(person, activated):
    activated(rule("asked", 70), rule("left", -20, decay=HALF_LIFE))
    ada = person()
    record(ada, "asked")
    record(ada, "left")
    check()
    found = outlook.next_crossing(ada, now=NOW)
    assert found.rising and NOW + DAY <= found.at <= NOW + DAY + SECOND


@pytest.mark.parametrize("points", [59, 60])
def test_where_nothing_fades_nothing_is_to_be_expected(person, activated, points):
    activated(rule("asked", points))
    ada = person()
    record(ada, "asked")
    check()
    assert outlook.next_crossing(ada, now=NOW) is None


def test_beyond_the_horizon_it_is_later_than_that(person, activated):
    activated(rule("asked", 100, decay={"type": "half_life", "period": "P3650D"}))
    ada = person()
    record(ada, "asked")
    check()
    found = outlook.next_crossing(ada, now=NOW)
    assert not found.is_certain and found.at >= NOW + outlook.HORIZON


def test_without_rules_there_is_no_outlook(person):
    assert outlook.next_crossing(person(), now=NOW) is None
