"""A new version may draw the line elsewhere: who stands above it has crossed it once, and is not told again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from scoring.crossings import thresholds
from scoring.lifecycle import stages
from scoring.models import ScoreCrossing
from tests.scoring.conftest import rule
from tests.scoring.playing import NOW, record, work_off

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def told(contact_id):
    rows = ScoreCrossing.objects.filter(contact_id=contact_id).order_by("crossed_at", "id")
    return [("up" if row.upward else "down", row.threshold) for row in rows]


@pytest.fixture
def ada(person):
    return person(created_at=NOW - DAY)


def move(activated, threshold, minutes, on_activation="emit"):
    activated(rule("asked", 65), rule("left", -13), mql_threshold=threshold, now=NOW + minutes * MINUTE,
              on_activation=on_activation)  # fmt: skip
    work_off(NOW + (minutes + 1) * MINUTE)


@pytest.mark.parametrize("policy", ["emit", "rebase"])
def test_who_stands_above_is_not_told_again_when_the_line_is_drawn_lower(ada, activated, policy):
    move(activated, 60, -10)
    record(ada, "asked")
    work_off(NOW)
    assert told(ada) == [("up", 60.0)]
    with transaction.atomic():
        stages.move(contact_ids=[ada], to_stage="lead", reason="not yet", source="admin", now=NOW)
    move(activated, 50, 1, policy)
    assert told(ada) == [("up", 60.0)] and stages.current_stages([ada]) == {ada: "lead"}


def test_who_stands_below_is_told_when_the_line_is_drawn_lower(ada, activated):
    move(activated, 70, -10)
    record(ada, "asked")
    work_off(NOW)
    move(activated, 60, 1)
    assert told(ada) == [("up", 60.0)]


def test_a_line_drawn_higher_is_fallen_below_once_and_within_its_hysteresis_not_at_all(ada, activated):
    move(activated, 60, -10)
    record(ada, "asked")
    work_off(NOW)
    move(activated, 70, 1)
    assert told(ada) == [("up", 60.0)]
    move(activated, 80, 3)
    assert told(ada) == [("up", 60.0), ("down", 80.0)]


def test_a_line_that_comes_back_finds_people_where_they_stand_now(ada, activated):
    move(activated, 60, -10)
    record(ada, "asked")
    work_off(NOW)
    move(activated, 80, 1)
    assert told(ada) == [("up", 60.0), ("down", 80.0)]
    move(activated, 60, 3)
    assert told(ada) == [("up", 60.0), ("down", 80.0), ("up", 60.0)]
    record(ada, "left", NOW + 5 * MINUTE)
    work_off(NOW + 5 * MINUTE)
    assert told(ada)[3:] == [("down", 60.0)]
    assert list(ScoreCrossing.objects.filter(threshold=60).order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]


def test_a_threshold_that_somebody_else_watches_keeps_its_own_sides(ada, activated):
    move(activated, 60, -10)
    with transaction.atomic():
        thresholds.declare("workflow:1", {50}, now=NOW - 9 * MINUTE)
    record(ada, "asked")
    work_off(NOW)
    assert told(ada) == [("up", 60.0), ("up", 50.0)] or told(ada) == [("up", 50.0), ("up", 60.0)]
    move(activated, 50, 1)
    assert len(told(ada)) == 2
