"""Two contacts become one: the score counts both histories, a threshold is crossed once, the farther stage stays."""

from __future__ import annotations

import pytest
from django.db import transaction

from contacts import clock
from contacts.models import Contact, ContactEvent
from scoring.crossings import checks, comparing
from scoring.lifecycle import stages
from scoring.merges import Stage, stage_of
from scoring.models import LifecycleEvent, ScoreCheck, ScoreCrossing, ScoreSide
from scoring.projection import scores
from tests.contacts.conftest import event, record
from tests.contacts.merging.conftest import merge, undo
from tests.scoring.conftest import rule

pytestmark = pytest.mark.django_db


def two() -> tuple[int, int]:
    return Contact.objects.create().pk, Contact.objects.create().pk


def move(contact_id: int, stage: str) -> None:
    with transaction.atomic():
        stages.move(contact_ids=[contact_id], to_stage=stage, reason="test", source="api", now=clock.now())


def check() -> None:
    with transaction.atomic():
        while comparing.check_batch(now=clock.now()):
            pass


def visit(contact_id: int, times: int, name: str) -> None:
    record(*(event(contact_id, "visited", key=f"{name}{n}") for n in range(times)), now=clock.now())


@pytest.mark.parametrize(
    ("one", "other", "stage"),
    [
        ("customer", "lead", "customer"),
        ("lead", "customer", "customer"),
        ("customer", "churned", "churned"),
        ("churned", "customer", "customer"),
        ("mql", "mql", "mql"),
    ],
)
def test_the_farther_stage_holds_and_with_a_churned_one_the_later(one, other, stage):
    assert stage_of(Stage(1, one), Stage(2, other)) == stage


def test_nobody_falls_back_because_the_other_profile_was_a_lead():
    ada, other = two()
    move(ada, "customer")
    move(other, "lead")
    news = ContactEvent.objects.filter(type="lifecycle_changed").count()
    merge_id = merge(ada, other)
    assert stages.current_stages([ada, other]) == {ada: "customer"}
    assert ContactEvent.objects.filter(type="lifecycle_changed").count() == news
    undo(merge_id)
    assert stages.current_stages([ada, other]) == {ada: "customer", other: "lead"}
    assert not LifecycleEvent.objects.filter(source="merge").exists()


def test_a_stage_that_came_after_the_merge_outlives_it():
    ada, other = two()
    move(ada, "customer")
    move(other, "lead")
    merge_id = merge(ada, other)
    move(ada, "churned")
    undo(merge_id)
    assert stages.current_stages([ada]) == {ada: "churned"}


def test_the_score_counts_both_histories_and_is_checked_at_once(activated):
    activated(rule("visited", 35))
    ada, other = two()
    visit(ada, 1, "a")
    visit(other, 1, "b")
    check()
    assert not ScoreCrossing.objects.exists()
    merge(ada, other)
    assert list(ScoreCheck.objects.filter(check_at__lte=clock.now()).values_list("contact_id", flat=True)) == [ada]
    check()
    assert scores.of(contact_ids=[ada], at=clock.now())[ada] == 70
    assert list(ScoreCrossing.objects.values_list("contact_id", "upward")) == [(ada, True)]


def test_a_threshold_that_was_crossed_as_one_of_them_is_not_crossed_again(activated):
    activated(rule("visited", 35))
    ada, other = two()
    visit(other, 2, "b")
    check()
    merge_id = merge(ada, other)
    check()
    assert ContactEvent.objects.filter(type="score_threshold_crossed").count() == 1
    assert list(ScoreSide.objects.values_list("contact_id", "above", "seq")) == [(ada, True, 1)]
    undo(merge_id)
    check()
    assert list(ScoreSide.objects.values_list("contact_id", "above", "seq")) == [(other, True, 1)]
    assert ContactEvent.objects.filter(type="score_threshold_crossed").count() == 1


def test_crossings_of_both_keep_their_numbers_apart(activated):
    activated(rule("visited", 35))
    ada, other = two()
    visit(ada, 2, "a")
    visit(other, 2, "b")
    check()
    merge_id = merge(ada, other)
    check()
    undo(merge_id)
    checks.after_merges(contact_ids=[ada, other], now=clock.now())
    check()
    assert sorted(ScoreCrossing.objects.values_list("contact_id", "seq")) == [(ada, 1), (other, 1)]
    assert sorted(ScoreSide.objects.values_list("contact_id", "above")) == [(ada, True), (other, True)]
