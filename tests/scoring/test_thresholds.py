"""Thresholds that somebody watches beside the one for marketing qualification: each crossing told once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from contacts.models import ContactEvent
from scoring.crossings import checks, thresholds
from scoring.lifecycle import stages
from scoring.models import ScoreSide, ScoreThreshold
from scoring.rulesets.rules import BadRules
from tests.scoring.conftest import rule
from tests.scoring.playing import NOW, record, work_off

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def declare(owner, *values, at=NOW):
    with transaction.atomic():
        thresholds.declare(owner, values, now=at)


def news(contact_id):
    rows = ContactEvent.objects.filter(contact_id=contact_id, type="score_threshold_crossed").order_by("id")
    return [(row.properties["threshold"], row.properties["direction"]) for row in rows]


def test_every_watched_threshold_is_crossed_once_each_way(person, activated):
    activated(rule("visited", 10), rule("left", -10))
    declare("workflow:1", 20, 40)
    ada = person()
    for minute in range(7):
        record(ada, "visited", NOW + minute * MINUTE)
        work_off(NOW + minute * MINUTE)
    assert news(ada) == [(20, "up"), (40, "up"), (60, "up")]
    for minute in range(7, 14):
        record(ada, "left", NOW + minute * MINUTE)
        work_off(NOW + minute * MINUTE)
    assert news(ada)[3:] == [(60, "down"), (40, "down"), (20, "down")]


def test_only_the_threshold_of_marketing_qualification_moves_the_stage(person, activated):
    activated(rule("visited", 30))
    declare("workflow:1", 20)
    ada = person()
    record(ada, "visited", NOW)
    work_off(NOW)
    assert news(ada) == [(20, "up")] and stages.current_stages([ada]) == {}
    record(ada, "visited", NOW + MINUTE)
    work_off(NOW + MINUTE)
    assert stages.current_stages([ada]) == {ada: "mql"}


def test_who_stands_above_when_it_is_first_watched_has_not_crossed_it_and_falls_later(person, activated):
    activated(rule("visited", 30), rule("left", -30))
    ada, bob = person(), person()
    record(ada, "visited", NOW)
    work_off(NOW)
    declare("workflow:1", 20, at=NOW + MINUTE)
    work_off(NOW + MINUTE)
    assert news(ada) == [] and news(bob) == []
    assert ScoreSide.objects.filter(contact_id=ada, threshold=20, above=True, seq=0).count() == 1
    record(ada, "left", NOW + 2 * MINUTE)
    record(bob, "visited", NOW + 2 * MINUTE)
    work_off(NOW + 2 * MINUTE)
    assert news(ada) == [(20, "down")] and news(bob) == [(20, "up")]


def test_a_crossing_between_the_declaration_and_the_first_comparison_is_told(person, activated):
    activated(rule("visited", 30))
    ada = person()
    declare("workflow:1", 20, at=NOW)
    record(ada, "visited", NOW + MINUTE)
    work_off(NOW + 2 * MINUTE)
    assert news(ada) == [(20, "up")]


def test_who_stands_above_and_does_nothing_more_crosses_by_decay(person, activated):
    activated(rule("visited", 40, decay={"type": "half_life", "period": "P1D"}))
    ada = person()
    record(ada, "visited", NOW)
    work_off(NOW)
    declare("workflow:1", 30, at=NOW + MINUTE)
    work_off(NOW + MINUTE)
    work_off(NOW + timedelta(days=2))
    assert news(ada) == [(30, "down")]


def test_a_threshold_is_watched_as_long_as_anybody_names_it(person, activated):
    activated(rule("visited", 30))
    declare("workflow:1", 20)
    declare("workflow:2", 20, 90)
    declare("workflow:1")
    ada = person()
    record(ada, "visited", NOW + MINUTE)
    work_off(NOW + MINUTE)
    assert news(ada) == [(20, "up")]
    declare("workflow:2")
    bob = person()
    record(bob, "visited", NOW + 2 * MINUTE)
    work_off(NOW + 2 * MINUTE)
    assert news(bob) == [] and not ScoreThreshold.objects.exists()


def test_the_same_declaration_again_asks_nobody_again(person, activated):
    activated(rule("visited", 30))
    ada = person()
    record(ada, "visited", NOW)
    declare("workflow:1", 20)
    work_off(NOW)
    declare("workflow:1", 20, at=NOW + MINUTE)
    work_off(NOW + MINUTE)
    assert not checks.due_lanes(now=NOW + MINUTE)
    assert ScoreThreshold.objects.get().declared_at == NOW


def test_rules_that_become_active_later_tell_who_crosses_because_of_them(person, activated):
    activated(rule("visited", 10))
    ada = person()
    record(ada, "visited", NOW)
    declare("workflow:1", 20)
    work_off(NOW)
    activated(rule("visited", 30), now=NOW + MINUTE)
    work_off(NOW + MINUTE)
    assert news(ada) == [(20, "up")]


@pytest.mark.parametrize("threshold", [0, -5, float("nan"), float("inf"), 1e9])
def test_what_is_no_threshold_is_refused(threshold):
    with pytest.raises(BadRules), transaction.atomic():
        thresholds.declare("workflow:1", [threshold], now=NOW)
