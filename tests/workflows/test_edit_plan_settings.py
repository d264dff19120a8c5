"""What the settings of the two versions mean for who is moved: caps, longest durations, frozen attributes, goals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from contacts import clock
from contacts.models import Contact, ContactTag
from tests import journeys
from tests.journeys import definition, step
from tests.workflows.edit_plans import STEPS, balanced, carry_out, changed, enter, undo
from workflows import admission, intake
from workflows.models import Enrolment
from workflows.watches import looking

pytestmark = pytest.mark.django_db(transaction=True)


def test_those_who_have_not_begun_begin_at_the_new_start():
    settings = {"concurrency_cap": 1}
    journeys.publish({**definition(STEPS), "settings": settings})
    ids = journeys.contacts(3)
    journeys.track(ids, "signed_up")
    intake.match_batch(lane="urgent")
    assert Enrolment.objects.filter(state="pending").count() == 3
    first = {"first": step("add_tag", {"next": "pause"}, tag="first")}
    journeys.publish({**definition({**first, **STEPS, "hello": step("add_tag", {"next": "pause"}, tag="hello")}),
                      "settings": settings})  # fmt: skip
    carry_out({"hello": {"do": "move", "to": "bye"}})
    rows = list(Enrolment.objects.all())
    assert {(row.state, row.step, row.version.number) for row in rows} == {("pending", "first", 2)}
    for _ in range(3):
        admission.admit_batch(lane="urgent")
        journeys.run()
    assert ContactTag.objects.filter(tag__name="first").count() == 3 and not balanced()


def test_coming_from_a_version_without_a_cap_one_waits_for_a_place():
    ids = enter(4)
    journeys.publish(
        {**changed(pause=step("add_tag", {"next": "then"}, tag="now")), "settings": {"concurrency_cap": 2}}
    )
    carry_out({"pause": "move"})
    assert Enrolment.objects.filter(state="active").count() == 0
    workflow_id = Enrolment.objects.first().workflow_id
    assert admission.admit(workflow_id) == 2
    assert Enrolment.objects.filter(state="active", capped=True).count() == 2
    for _ in range(6):
        journeys.run()
        admission.admit(workflow_id)
    assert ContactTag.objects.filter(tag__name="now").count() == len(ids) and not balanced()


def test_leaving_a_capped_version_frees_the_place_and_undo_takes_none_that_is_not_free():
    settings = {"concurrency_cap": 2}
    journeys.publish({**definition(STEPS), "settings": settings})
    ids = journeys.contacts(4)
    journeys.track(ids, "signed_up")
    intake.match_batch(lane="urgent")
    workflow_id = Enrolment.objects.first().workflow_id
    assert admission.admit(workflow_id) == 2
    journeys.publish(definition(STEPS))
    plan = carry_out({"hello": "move"})
    assert plan.moved == 4
    assert not Enrolment.objects.filter(capped=True).exists()
    journeys.publish({**definition(STEPS), "settings": settings})
    undo(plan)
    assert Enrolment.objects.filter(state="active", capped=True).count() == 0
    assert admission.admit(workflow_id) == 2
    assert not balanced()


def test_a_wait_that_the_longest_duration_cut_short_is_not_kept_as_if_it_were_over():
    document = {**definition(STEPS), "settings": {"max_duration": "P1D"}}
    (contact_id,) = enter(1, document)
    cut = journeys.enrolment(contact_id)
    assert cut.wake_at - cut.entered_at == timedelta(days=1)
    journeys.publish({**definition(STEPS), "settings": {"max_duration": "P90D"}})
    carry_out({"pause": "move"})
    journeys.run()
    waits = journeys.enrolment(contact_id)
    assert waits.state == "waiting" and waits.wake_at - waits.waiting_since == timedelta(days=3)


def test_a_shorter_longest_duration_ends_a_kept_wait_earlier():
    (contact_id,) = enter(1)
    journeys.publish({**definition(STEPS), "settings": {"max_duration": "P2D"}})
    carry_out({"pause": "move"})
    waits = journeys.enrolment(contact_id)
    assert waits.state == "waiting" and waits.wake_at - waits.entered_at == timedelta(days=2)


def test_attributes_are_frozen_where_the_new_version_asks_for_it():
    (contact_id,) = enter(1)
    Contact.objects.filter(pk=contact_id).update(attributes={"plan": "trial"})
    journeys.publish({**definition(STEPS), "settings": {"snapshot_attributes": True}})
    carry_out({"pause": "move"})
    assert journeys.enrolment(contact_id).snapshot == {"plan": "trial"}


def test_a_goal_that_only_the_new_version_has_is_looked_for_from_the_entry_event_on():
    (contact_id,) = enter(1)
    journeys.track(contact_id, "subscribed")
    journeys.publish({**definition(STEPS), "exit": {"goal": [{"event": "subscribed"}]}})
    carry_out({"pause": "move"})
    with transaction.atomic():
        looking.look_batch("urgent", clock.now())
    assert journeys.enrolment(contact_id).exit_reason == "goal_achieved" and not balanced()
