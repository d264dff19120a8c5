"""New rules that say nothing of those whom they put on another side (`rebase`), and those that do (`emit`)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from contacts.models import Contact, ContactEvent
from contacts.signals import contacts_changed
from scoring.crossings import thresholds
from scoring.lifecycle import stages
from scoring.models import ScoreCrossing, ScoreSide
from scoring.rulesets import versions
from tests.scoring.conftest import rule
from tests.scoring.playing import NOW, ask, check, let_time_pass, record, work_off

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HALF_LIFE = {"type": "half_life", "period": "P1D"}


def told(contact_id, name="lead"):
    rows = ScoreCrossing.objects.filter(contact_id=contact_id, score_name=name).order_by("seq")
    return ["up" if row.upward else "down" for row in rows]


def side(contact_id, name="lead"):
    return ScoreSide.objects.get(contact_id=contact_id, score_name=name).above


@pytest.fixture
def ada(person):
    return person(created_at=NOW - DAY)


def test_emit_tells_who_crosses_because_of_the_new_rules(ada, activated):
    activated(rule("asked", 30))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 60), now=NOW + MINUTE, on_activation="emit")
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == ["up"] and stages.current_stages([ada]) == {ada: "mql"}


def test_rebase_puts_people_above_without_a_crossing_a_stage_or_an_event_and_the_fall_is_told(ada, activated):
    activated(rule("asked", 30, decay=HALF_LIFE))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 80, decay=HALF_LIFE), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == [] and stages.current_stages([ada]) == {} and side(ada)
    assert not ContactEvent.objects.filter(contact_id=ada, type="score_threshold_crossed").exists()
    let_time_pass(ada, NOW + 3 * DAY)
    assert told(ada) == ["down"]


def test_rebase_puts_people_below_in_silence_and_their_return_is_told(ada, activated):
    activated(rule("asked", 60))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 40), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == ["up"] and not side(ada)
    record(ada, "asked", NOW + 3 * MINUTE)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up", "up"]


def test_rebase_keeps_who_stands_within_the_hysteresis_where_they_stood(ada, person, activated):
    bob = person(created_at=NOW - DAY)
    activated(rule("asked", 60), rule("visited", 10))
    record(ada, "asked")
    record(bob, "visited")
    work_off(NOW)
    activated(rule("asked", 55), rule("visited", 55), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert side(ada) and not side(bob)


def test_an_event_between_the_activation_and_the_first_look_is_told(ada, activated):
    activated(rule("asked", 10))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 30), now=NOW + MINUTE, on_activation="rebase")
    record(ada, "asked", NOW + 2 * MINUTE)
    assert check(NOW + 2 * MINUTE)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up"]


def test_a_late_event_of_before_the_activation_counts_when_it_arrives(ada, activated):
    activated(rule("asked", 10))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 30), now=NOW + MINUTE, on_activation="rebase")
    record(ada, "asked", NOW + 2 * MINUTE, occurred_at=NOW - DAY)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up"]


def test_what_happened_before_the_activation_and_was_not_looked_at_yet_is_told_by_the_rules_of_then(ada, activated):
    old = activated(rule("asked", 60))
    record(ada, "asked")
    activated(rule("asked", 60), rule("left", -1), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == ["up"]
    assert ScoreCrossing.objects.get(contact_id=ada).ruleset_id == old


def test_a_second_activation_before_the_first_was_worked_off(ada, activated):
    activated(rule("asked", 10))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 70), now=NOW + MINUTE, on_activation="rebase")
    activated(rule("asked", 10), now=NOW + 2 * MINUTE, on_activation="rebase")
    activated(rule("asked", 65), now=NOW + 3 * MINUTE, on_activation="rebase")
    work_off(NOW + 4 * MINUTE)
    assert told(ada) == [] and side(ada)


def test_emit_after_a_rebase_that_nobody_worked_off_tells_only_what_its_own_rules_change(ada, person, activated):
    bob = person(created_at=NOW - DAY)
    activated(rule("asked", 10), rule("visited", 10))
    record(ada, "asked")
    record(bob, "visited")
    work_off(NOW)
    activated(rule("asked", 70), rule("visited", 10), now=NOW + MINUTE, on_activation="rebase")
    activated(rule("asked", 71), rule("visited", 70), now=NOW + 2 * MINUTE, on_activation="emit")
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == [] and told(bob) == ["up"]


def test_rebase_after_an_emit_that_nobody_worked_off_does_not_swallow_it(ada, activated):
    activated(rule("asked", 10))
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 60), now=NOW + MINUTE, on_activation="emit")
    activated(rule("asked", 61), now=NOW + 2 * MINUTE, on_activation="rebase")
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up"]


def test_a_part_that_is_rebased_moves_the_combined_score_in_silence(ada, activated):
    activated(rule("asked", 10), name="fit")
    activated(rule("visited", 50), parts={"fit": 1})
    record(ada, "asked")
    record(ada, "visited")
    work_off(NOW)
    activated(rule("asked", 20), name="fit", now=NOW + MINUTE, on_activation="rebase")
    assert told(ada) == ["up"]
    activated(rule("asked", 1), name="fit", now=NOW + 2 * MINUTE, on_activation="rebase")
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up"] and not side(ada)
    activated(rule("asked", 30), name="fit", now=NOW + 4 * MINUTE, on_activation="emit")
    work_off(NOW + 5 * MINUTE)
    assert told(ada) == ["up", "up"]


def test_what_the_rules_of_before_are_told_late_does_not_make_the_new_rules_look_later(ada, activated):
    """Told up by the rules of before; put below by the events of then, in silence; what came afterwards is told."""
    activated(rule("visited", 73))
    record(ada, "visited")
    activated(rule("visited", 48), rule("asked", 89), now=NOW + MINUTE, on_activation="rebase")
    record(ada, "asked", NOW + 2 * MINUTE)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up", "up"] and side(ada)


def test_a_fall_after_a_rebase_is_told_together_with_the_rise_before_it(ada, activated):
    activated(rule("visited", 73), parts={"fit": 1})
    record(ada, "visited")
    activated(rule("asked", -25), name="fit", now=NOW + MINUTE, on_activation="rebase")
    record(ada, "asked", NOW + 2 * MINUTE)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up", "down"] and not side(ada)


def test_who_was_told_by_the_old_rules_after_the_activation_is_not_told_of_what_they_were_at_it(ada, activated):
    """A worker that began before the activation was committed has told of a fall that is later than it."""
    rules = [rule("asked", 60), rule("left", -50)]
    activated(*rules)
    record(ada, "asked")
    work_off(NOW)
    record(ada, "left", NOW + 2 * MINUTE)
    work_off(NOW + 2 * MINUTE)
    activated(*rules, now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == ["up", "down"] and not side(ada)


@pytest.mark.parametrize(("rest", "expected"), [("", ["up", "down", "up"]), ("PT1H", ["up"])])
def test_each_of_two_rebases_tells_what_was_due_before_it_but_for_what_rest_forbids(ada, activated, rest, expected):
    """With a rest, only the first is told: it is told now, and the fall with it would be no rest."""
    rules = [rule("asked", 60), rule("left", -50)]
    activated(*rules, rearm_after=rest)
    record(ada, "asked")
    activated(*rules, now=NOW + MINUTE, on_activation="rebase", rearm_after=rest)
    record(ada, "left", NOW + 2 * MINUTE)
    activated(*rules, now=NOW + 3 * MINUTE, on_activation="rebase", rearm_after=rest)
    record(ada, "asked", NOW + 4 * MINUTE)
    work_off(NOW + 5 * MINUTE)
    assert told(ada) == expected


@pytest.mark.parametrize("once_a_part", [False, True])
def test_a_rebase_of_a_score_that_is_no_part_of_the_rules_of_then_is_none_of_theirs(ada, activated, once_a_part):
    """So a rise and fall around it are not invented, as if it had not been, whatever other versions are made of."""
    rules = [rule("asked", 60), rule("left", -50)]
    if once_a_part:
        activated(*rules, now=NOW - 2 * MINUTE, parts={"fit": 1})
    activated(*rules, now=NOW - MINUTE)
    record(ada, "asked")
    activated(rule("visited", 1), name="fit", now=NOW + MINUTE, on_activation="rebase")
    record(ada, "left", NOW + 2 * MINUTE)
    work_off(NOW + 3 * MINUTE)
    assert told(ada) == []


def test_an_attribute_that_changes_after_it_was_settled_is_told(ada, activated):
    activated(rule("visited", 1))
    director = {"name": "director", "signal": {"field": "title", "op": "eq", "value": "Director"}, "points": 60}
    activated(director, now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    Contact.objects.filter(pk=ada).update(attributes={"title": "Director"})
    at = NOW + 3 * MINUTE
    contacts_changed.send(sender=None, contact_ids=(ada,), kinds=frozenset({"attribute"}), lane="bulk", now=at)
    work_off(at)
    assert told(ada) == ["up"]


def test_who_came_later_was_not_put_anywhere(person, activated):
    activated(rule("asked", 60), on_activation="rebase")
    bob = person(created_at=NOW + MINUTE)
    record(bob, "asked", NOW + 2 * MINUTE)
    work_off(NOW + 2 * MINUTE)
    assert told(bob) == ["up"]


def test_a_watched_threshold_is_rebased_as_well(ada, activated):
    activated(rule("asked", 10))
    with transaction.atomic():
        thresholds.declare("workflow:1", [25], now=NOW)
    record(ada, "asked")
    work_off(NOW)
    activated(rule("asked", 30), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == []
    assert ScoreSide.objects.get(contact_id=ada, threshold=25).above


def test_who_is_settled_is_not_asked_again(ada, activated):
    activated(rule("asked", 60))
    record(ada, "asked")
    work_off(NOW)
    new = activated(rule("asked", 70), now=NOW + MINUTE, on_activation="rebase")
    work_off(NOW + 2 * MINUTE)
    assert ScoreSide.objects.get(contact_id=ada).ruleset_id == new
    assert not ask(NOW + 3 * MINUTE) and not check(NOW + 3 * MINUTE)


def test_a_draft_may_be_activated_by_the_other_policy(ada, activated):
    activated(rule("asked", 10))
    record(ada, "asked")
    work_off(NOW)
    draft = versions.write_draft({"rules": [rule("asked", 60)], "on_activation": "emit"}, now=NOW)
    versions.activate_draft(draft, on_activation="rebase", now=NOW + MINUTE)
    work_off(NOW + 2 * MINUTE)
    assert told(ada) == [] and side(ada)
