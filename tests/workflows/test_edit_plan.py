"""Editing a journey with people under way: nobody is moved by themselves, lost, doubled or woken early."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from contacts import clock
from contacts.models import ContactTag
from tests import journeys
from tests.journeys import definition, step
from tests.workflows.edit_plans import STEPS, balanced, carry_out, changed, enter, numbers, undo, work_off
from workflows import publishing
from workflows.editing import edit_moves, edit_plan
from workflows.editing.edit_plan import Decision, NotPossible
from workflows.models import Enrolment, JournalEntry, WorkflowVersion

pytestmark = pytest.mark.django_db(transaction=True)


def test_nobody_moves_when_a_version_is_published():
    ids = enter()
    journeys.publish(changed(bye=step("add_tag", tag="other")))
    journeys.run()
    assert numbers(ids) == [1, 1, 1]
    journeys.wake_all()
    journeys.run()
    journeys.wake_all()
    journeys.run()
    assert set(ContactTag.objects.values_list("tag__name", flat=True)) == {"hello", "then", "bye"}


def test_the_survey_says_where_they_stand_and_what_became_of_the_step():
    ids = enter(5)
    Enrolment.objects.filter(contact_id=ids[0]).update(wake_at=clock.now())
    journeys.run()  # one of them has come to `rest`
    journeys.publish(changed(then=step("add_tag", {"next": "bye"}, tag="then"), rest=None))
    seen = edit_plan.survey("journey")
    assert seen.to_version == 2 and seen.people == 5
    assert [(each.step, each.people, each.waiting, each.state) for each in seen.standings] == [
        ("pause", 4, 4, "unchanged"), ("rest", 1, 1, "removed"),
    ]  # fmt: skip
    assert seen.standings[0].proposal == Decision("move", "pause")
    assert seen.standings[1].proposal == Decision("stay")
    assert seen.standings[0].versions == {1: 4}
    assert seen.standings[1].sentence == "Wait 1 day"


def test_a_changed_step_says_what_changed_and_is_not_proposed_for_a_move():
    enter(1)
    journeys.publish(changed(pause=step("wait", {"next": "then"}, mode="duration", **{"for": "P5D"})))
    (standing,) = edit_plan.survey("journey").standings
    assert standing.state == "changed" and standing.proposal.do == "stay"
    assert standing.changes == ("“Wait (pause)”: its length is 5 days (was 3 days)",)


def test_who_is_moved_to_the_same_wait_keeps_their_time_and_goes_on_in_the_new_version():
    ids = enter()
    before = {row.pk: (row.wake_at, row.waiting_since) for row in Enrolment.objects.all()}
    journeys.publish(changed(then=step("add_tag", {"next": "rest"}, tag="new")))
    plan = carry_out({"pause": "move"})
    assert (plan.state, plan.moved, plan.exited) == ("applied", 3, 0)
    after = {row.pk: (row.wake_at, row.waiting_since) for row in Enrolment.objects.filter(state="waiting")}
    assert after == before and numbers(ids) == [2, 2, 2]
    assert not balanced()
    journeys.run()
    assert {row.pk: (row.wake_at, row.waiting_since) for row in Enrolment.objects.filter(state="waiting")} == before
    for _ in range(2):
        journeys.wake_all()
        journeys.run()
    assert set(ContactTag.objects.values_list("tag__name", flat=True)) == {"hello", "new", "bye"}
    assert ContactTag.objects.filter(tag__name="hello").count() == 3
    one = journeys.enrolment(ids[0])
    assert one.state == "completed"
    assert [entry[:2] for entry in journeys.path(one.pk)] == [
        ("hello", "advanced"), ("pause", "waiting"), ("pause", "moved"), ("pause", "advanced"), ("then", "advanced"),
        ("rest", "waiting"), ("rest", "advanced"), ("bye", "advanced"),
    ]  # fmt: skip
    assert not balanced()


def test_a_changed_wait_begins_anew():
    (contact_id,) = enter(1)
    journeys.publish(changed(pause=step("wait", {"next": "then"}, mode="duration", **{"for": "P5D"})))
    carry_out({"pause": "move"})
    moved = journeys.enrolment(contact_id)
    assert (moved.state, moved.waiting_since) == ("active", None)
    journeys.run()
    waits = journeys.enrolment(contact_id)
    assert waits.state == "waiting" and waits.wake_at - waits.waiting_since == timedelta(days=5)
    assert not balanced()


def test_a_setting_that_is_its_default_is_no_change():
    (contact_id,) = enter(1)
    before = journeys.enrolment(contact_id).wake_at
    journeys.publish(changed(pause=step("wait", {"next": "then"}, mode="duration", weekday=None, **{"for": "P3D"})))
    carry_out({"pause": "move"})
    assert journeys.enrolment(contact_id).wake_at == before


def test_people_of_a_step_that_is_gone_go_where_one_says_or_leave():
    ids = enter(2)
    journeys.publish(changed(pause=None, hello=step("add_tag", {"next": "then"}, tag="hello")))
    with pytest.raises(edit_plan.BadDecisions) as caught:
        carry_out({"pause": "move"})
    assert caught.value.faults[0].loc == ("pause", "to")
    plan = carry_out({"pause": {"do": "move", "to": "bye"}})
    journeys.run()
    assert plan.moved == 2
    assert {journeys.enrolment(contact_id).state for contact_id in ids} == {"completed"}
    assert set(ContactTag.objects.values_list("tag__name", flat=True)) == {"hello", "bye"}


def test_who_is_told_to_exit_leaves_with_the_reason_and_the_plan_in_the_journal():
    (contact_id,) = enter(1)
    journeys.publish(changed(pause=None, hello=step("add_tag", {"next": "then"}, tag="hello")))
    plan = carry_out({"pause": "exit"})
    gone = journeys.enrolment(contact_id)
    assert (gone.state, gone.exit_reason, plan.exited) == ("exited", "manually_removed", 1)
    last = JournalEntry.objects.filter(enrolment_id=gone.pk).latest("seq")
    assert last.detail["plan"] == str(plan.public_id)
    assert not balanced()


def test_who_is_not_named_stays_and_finishes_the_version_they_entered():
    ids = enter(2)
    journeys.publish(changed(bye=step("add_tag", tag="other")))
    plan = carry_out({"rest": "move"})
    assert (plan.state, plan.moved) == ("applied", 0)
    assert numbers(ids) == [1, 1]


def test_a_plan_is_carried_out_slice_by_slice_and_every_one_once():
    ids = enter(25)
    journeys.publish(changed(bye=step("add_tag", tag="other")))
    plan = carry_out({"pause": "move"}, limit=4)
    assert (plan.state, plan.moved) == ("applied", 25) and set(numbers(ids)) == {2}
    assert JournalEntry.objects.filter(outcome="moved").count() == 25


def test_undo_puts_back_who_has_not_gone_on_and_leaves_the_others():
    ids = enter(6)
    before = {row.pk: (row.version_id, row.step, row.state, row.wake_at, row.waiting_since)
              for row in Enrolment.objects.all()}  # fmt: skip
    journeys.publish(changed(then=step("add_tag", {"next": "rest"}, tag="new")))
    plan = carry_out({"pause": "move"})
    on = journeys.enrolment(ids[0])
    Enrolment.objects.filter(pk=on.pk).update(wake_at=clock.now())
    journeys.run()
    plan = undo(plan, limit=2)
    assert (plan.state, plan.moved, plan.put_back) == ("undone", 6, 5)
    after = {row.pk: (row.version_id, row.step, row.state, row.wake_at, row.waiting_since)
             for row in Enrolment.objects.all()}  # fmt: skip
    assert {pk: row for pk, row in after.items() if pk != on.pk} == {
        pk: row for pk, row in before.items() if pk != on.pk
    }
    assert numbers(ids) == [2, 1, 1, 1, 1, 1]
    assert not balanced()
    with pytest.raises(NotPossible):
        undo(plan)
    for _ in range(3):
        journeys.wake_all()
        journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 6 and not balanced()


def test_undo_brings_back_the_old_wait_of_who_had_begun_the_new_one():
    (contact_id,) = enter(1)
    before = journeys.enrolment(contact_id)
    journeys.publish(changed(pause=step("wait", {"next": "then"}, mode="duration", **{"for": "P5D"})))
    plan = carry_out({"pause": "move"})
    undo(plan)
    after = journeys.enrolment(contact_id)
    assert (after.version_id, after.state, after.wake_at, after.waiting_since) == (
        before.version_id, "waiting", before.wake_at, before.waiting_since,
    )  # fmt: skip
    journeys.run()
    assert journeys.enrolment(contact_id).state == "waiting" and not balanced()


def test_two_plans_one_after_the_other_each_undo_their_own():
    (contact_id,) = enter(1)
    journeys.publish(changed(bye=step("add_tag", tag="two")))
    first = carry_out({"pause": "move"})
    journeys.publish(changed(bye=step("add_tag", tag="three")))
    second = carry_out({"pause": "move"})
    assert undo(first).put_back == 0
    assert numbers([contact_id]) == [3]
    assert undo(second).put_back == 1
    assert numbers([contact_id]) == [2] and not balanced()


def test_one_plan_at_a_time_and_only_for_the_version_that_is_live():
    enter(1)
    journeys.publish(changed(bye=step("add_tag", tag="two")))
    now = clock.now()
    with transaction.atomic():
        plan = edit_plan.begin(
            slug="journey", to_version=2, decisions={"pause": Decision("move", "pause")}, by="", now=now
        )
    with pytest.raises(NotPossible, match="being carried out"), transaction.atomic():
        edit_plan.begin(slug="journey", to_version=2, decisions={}, by="", now=now)
    work_off(plan, limit=10)
    with pytest.raises(NotPossible, match="version 2"), transaction.atomic():
        edit_plan.begin(slug="journey", to_version=1, decisions={}, by="", now=now)
    publishing.archive(slug="journey", now=now)
    with pytest.raises(NotPossible):
        edit_plan.survey("journey")


def test_steps_that_would_be_done_twice_are_told():
    enter(1)
    again = {
        "pause": step("wait", {"next": "hello"}, mode="duration", **{"for": "P3D"}),
        "hello": step("add_tag", {"next": "then"}, tag="hello"),
    }
    document = {**changed(**again), "start": "pause"}
    journeys.publish(document)
    (standing,) = edit_plan.survey("journey").standings
    assert standing.again == ("hello",) and standing.proposal.do == "stay"


def test_the_plan_of_a_version_is_found_again_by_the_sweep_and_by_its_task():
    from workflows import sweep, tasks

    ids = enter(2)
    journeys.publish(changed(bye=step("add_tag", tag="other")))
    with transaction.atomic():
        edit_plan.begin(
            slug="journey", to_version=2, decisions={"pause": Decision("move", "pause")}, by="", now=clock.now()
        )
    assert (edit_plan.BELL, edit_plan.LANE) in sweep.ring_where_work_waits(now=clock.now())
    tasks.apply_plan()
    assert numbers(ids) == [2, 2]
    assert (edit_plan.BELL, edit_plan.LANE) not in sweep.ring_where_work_waits(now=clock.now())


def test_a_slice_costs_the_same_number_of_statements_for_many_as_for_few(django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    costs = []
    for round_, count in enumerate((2, 30)):
        slug = f"journey-{round_}"
        journeys.publish(definition(STEPS, slug=slug))
        ids = [journeys.contact(f"{slug}{n}@example.com").pk for n in range(count)]
        journeys.track(ids, "signed_up")
        journeys.run()
        journeys.publish({**definition(STEPS, slug=slug), "name": "Other"})
        with transaction.atomic():
            plan = edit_plan.begin(
                slug=slug, to_version=2, decisions={"pause": Decision("move", "pause")}, by="", now=clock.now()
            )
        with (
            CaptureQueriesContext(
                connection,
            ) as sent,
            transaction.atomic(),
        ):
            edit_moves.carry_on(plan.pk, now=clock.now())
        costs.append(len(sent))
        plan.refresh_from_db()
        assert plan.moved == count
    assert costs[0] == costs[1]


def test_versions_are_what_they_were_however_often_people_are_moved():
    enter(3)
    before = dict(WorkflowVersion.objects.values_list("number", "definition_hash"))
    journeys.publish(changed(bye=step("add_tag", tag="other")))
    undo(carry_out({"pause": "move"}))
    for version in WorkflowVersion.objects.all():
        assert publishing.definition_hash(version.definition) == version.definition_hash
    assert dict(WorkflowVersion.objects.filter(number=1).values_list("number", "definition_hash")) == before
