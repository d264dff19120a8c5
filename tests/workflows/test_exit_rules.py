"""Goals and disqualifications: whom they take out, when, and what the journal says of it."""

from datetime import timedelta

import pytest
from django.db import transaction

from analytics.models import CounterDelta
from contacts import clock, transactions, upserting
from contacts.audiences import tags
from contacts.models import AwaitedEvent, Contact
from delivery.models import Message, OutboxEntry
from scoring.rulesets import versions
from tests import journeys
from tests.contacts.merging.conftest import merge
from tests.journeys import definition, step
from workflows import engine, intake, publishing
from workflows.definition.validation import validate
from workflows.models import Enrolment, ExitSweep, JournalEntry, Watch, WatchCheck, Workflow
from workflows.watches import exit_sweeping, looking, watching

pytestmark = pytest.mark.django_db(transaction=True)

PAUSE = {"pause": step("wait", {"next": "end"}, mode="duration", **{"for": "P9D"}), "end": step("add_tag", tag="end")}
SUBSCRIBED = {"event": "subscribed"}
AFTER_EXIT = {"trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "after_exit"}}


def leaving(goal: list | None = None, disqualify: list | None = None, steps: dict | None = None, **changes) -> dict:
    return definition(steps or PAUSE, exit={"goal": goal or [], "disqualify": disqualify or []}, **changes)


def enter(document: dict, **properties) -> Contact:
    journeys.publish(document)
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    return contact


def left(contact: Contact) -> tuple[str, str]:
    enrolment = journeys.enrolment(contact.pk)
    return enrolment.state, enrolment.exit_reason


def last_words(contact: Contact) -> dict:
    return JournalEntry.objects.filter(contact_id=contact.pk).order_by("seq").last().detail


def test_a_goal_takes_out_whoever_waits_and_says_which_event():
    contact = enter(leaving([{"event": "trial_ended"}, SUBSCRIBED]))
    assert left(contact) == ("waiting", "")
    event = journeys.track(contact.pk, "subscribed").event_ids[0]
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")
    assert last_words(contact) == {"reason": "goal_achieved", "rule": 1, "event_id": event}
    counted = CounterDelta.objects.filter(metric__startswith="exited:").values_list("metric", "amount")
    assert list(counted) == [("exited:goal_achieved", 1)]


def test_goals_are_asked_before_disqualifications():
    contact = enter(leaving([SUBSCRIBED], [SUBSCRIBED]))
    journeys.track(contact.pk, "subscribed")
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


def test_a_condition_takes_out_after_a_change_and_says_what_it_read():
    contact = enter(leaving(None, [{"condition": {"field": "country", "op": "eq", "value": "XX"}}]))
    person = upserting.Person(fields={}, attributes={"country": "XX"})
    transactions.run(lambda now: upserting.change(contact.pk, person, source="api", now=now))
    journeys.run()
    assert left(contact) == ("exited", "disqualified")
    assert last_words(contact) == {"reason": "disqualified", "rule": 0, "read": ["XX"]}


def test_a_tag_takes_out():
    contact = enter(leaving([{"condition": {"has_tag": "customer"}}]))
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="customer", source="api", now=now))
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


def test_order_b_does_not_end_the_journey_of_order_a():
    rule = {"event": "order_completed",
            "where": {"field": "event.order_id", "op": "eq", "value": {"ref": "trigger.order_id"}}}  # fmt: skip
    entry = {"trigger": {"type": "event", "event": "signed_up"},
             "re_entry": {"policy": "every_time", "key": "event.order_id"}}  # fmt: skip
    journeys.publish(leaving([rule], entry=entry))
    contact = journeys.contact()
    for order in "AB":
        journeys.track(contact.pk, "signed_up", properties={"order_id": order}, key=order)
    journeys.run()
    journeys.track(contact.pk, "order_completed", properties={"order_id": "B"}, key="done")
    journeys.run()
    assert dict(Enrolment.objects.values_list("entry_key", "state")) == {"A": "waiting", "B": "exited"}


def test_what_happened_between_the_entry_event_and_the_enrolment_counts_before_the_first_step():
    journeys.template("welcome")
    journeys.publish(leaving([SUBSCRIBED], steps={"mail": step("send_email", template="welcome")}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.track(contact.pk, "subscribed")
    while intake.match_batch(lane="urgent"):
        pass
    assert not engine.advance_batch(lane="urgent") and not Message.objects.exists(), "the engine finds nobody"
    assert left(contact) == ("exited", "goal_achieved")


def test_what_happened_before_the_entry_event_does_not_count():
    journeys.publish(leaving([SUBSCRIBED]))
    contact = journeys.contact()
    journeys.track(contact.pk, "subscribed", occurred_at=clock.now() - timedelta(days=1))
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert left(contact) == ("waiting", "")


def test_the_entry_event_itself_is_no_goal():
    contact = enter(leaving([{"event": "signed_up"}], entry=AFTER_EXIT))
    assert left(contact) == ("waiting", "")
    journeys.track(contact.pk, "signed_up", key="again")
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


def test_an_exit_cancels_what_is_still_queued():
    journeys.template("welcome")
    contact = enter(leaving([SUBSCRIBED], steps={
        "mail": step("send_email", {"next": "pause"}, template="welcome"), **PAUSE,
    }))  # fmt: skip
    assert OutboxEntry.objects.count() == 1
    journeys.track(contact.pk, "subscribed")
    journeys.run()
    assert not OutboxEntry.objects.exists() and left(contact) == ("exited", "goal_achieved")


def test_pending_ones_leave_too_and_free_nobody_elses_place():
    journeys.publish(leaving([SUBSCRIBED], settings={"concurrency_cap": 1}))
    people = journeys.contacts(2)
    journeys.track(people, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    assert set(Enrolment.objects.values_list("state", flat=True)) == {"pending"}
    journeys.track(people[1], "subscribed")
    while intake.match_batch(lane="urgent"):
        pass
    journeys.look_again()
    assert dict(Enrolment.objects.values_list("contact_id", "state")) == {people[0]: "pending", people[1]: "exited"}


def test_exits_hold_in_a_paused_journey():
    contact = enter(leaving([SUBSCRIBED]))
    publishing.pause(slug="journey", now=clock.now())
    journeys.track(contact.pk, "subscribed")
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


def test_a_frozen_attribute_is_read_as_it_was_at_entry():
    rule = {"condition": {"field": "plan", "op": "eq", "value": "pro"}}
    journeys.publish(leaving([rule], settings={"snapshot_attributes": True}))
    contact = journeys.contact(attributes={"plan": "trial"})
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    Contact.objects.filter(pk=contact.pk).update(attributes={"plan": "pro"})
    look_at(contact)
    assert left(contact) == ("waiting", "")


def look_at(contact: Contact) -> None:
    WatchCheck.objects.create(contact_id=contact.pk, lane="urgent", due_at=clock.now())
    journeys.run()


def test_people_of_an_older_version_leave_by_its_own_rules():
    contact = enter(leaving([SUBSCRIBED]))
    journeys.publish(leaving([{"event": "upgraded"}]))
    newer = journeys.contact("new@example.com")
    journeys.track(newer.pk, "signed_up")
    journeys.run()
    journeys.track([contact.pk, newer.pk], "subscribed")
    journeys.run()
    assert (left(contact), left(newer)) == (("exited", "goal_achieved"), ("waiting", ""))
    journeys.track(newer.pk, "upgraded")
    journeys.run()
    assert left(newer) == ("exited", "goal_achieved")


def test_after_a_merge_the_survivors_past_is_looked_at():
    contact = enter(leaving([SUBSCRIBED]))
    other = journeys.contact("other@example.com")
    journeys.track(other.pk, "subscribed")
    journeys.run()
    assert left(contact) == ("waiting", "")
    merge(contact.pk, other.pk)
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


def test_time_alone_takes_out_within_a_minute():
    rule = {"condition": {"not": {"event": "page_viewed", "within": "P30D"}}}
    journeys.publish(leaving(None, [rule]))
    contact = journeys.contact()
    journeys.track(contact.pk, "page_viewed", occurred_at=clock.now() - timedelta(days=30) + timedelta(seconds=1))
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert left(contact) == ("waiting", "")
    later = clock.now() + timedelta(minutes=1)
    while exit_sweeping.due(now=later):
        transactions.run(lambda _: exit_sweeping.sweep_batch(later))
    assert WatchCheck.objects.count() == 1 and ExitSweep.objects.get().next_at == later + timedelta(minutes=1)
    transactions.run(lambda _: looking.look_batch("urgent", later))
    assert left(contact) == ("exited", "disqualified")


def test_a_sweep_goes_on_where_it_stopped():
    rule = {"condition": {"not": {"event": "page_viewed", "within": "P30D"}}}
    journeys.publish(leaving(None, [rule], steps=PAUSE))
    people = journeys.contacts(5)
    journeys.track(people, "page_viewed", occurred_at=clock.now() - timedelta(days=30) + timedelta(seconds=2))
    journeys.track(people, "signed_up")
    journeys.run()
    later = clock.now() + timedelta(minutes=1)
    slices = 0
    while exit_sweeping.due(now=later):
        slices += transactions.run(lambda _: exit_sweeping.sweep_batch(later, size=2))
    assert slices == 3
    assert sorted(WatchCheck.objects.values_list("contact_id", flat=True)) == sorted(people)


def test_what_is_watched_is_written_when_a_version_is_published_and_goes_with_its_last_traveller():
    contact = enter(leaving([SUBSCRIBED], [{"condition": {"field": "country", "op": "eq", "value": "XX"}}], steps={
        "wait": step("wait_for_event", {"happened": None, "timed_out": None}, event="clicked", timeout="P1D"),
    }))  # fmt: skip
    assert set(Watch.objects.values_list("step", "about")) == {
        ("", "event:subscribed"), ("", "attribute"), ("wait", "event:clicked"),
    }  # fmt: skip
    awaited = AwaitedEvent.objects.values_list("event_type", flat=True)
    assert set(awaited) == {"signed_up", "subscribed", "clicked"}
    journeys.publish(definition(PAUSE))
    much_later = clock.now() + timedelta(hours=2)
    assert not watching.tidy(now=much_later) and Watch.objects.count() == 3, "somebody is under way"
    assert set(awaited.all()) == {"signed_up", "subscribed", "clicked"}
    journeys.track(contact.pk, "clicked")
    journeys.run()
    watching.tidy(now=clock.now() + timedelta(minutes=1))
    assert Watch.objects.count() == 3, "somebody may have been let in at the last moment"
    watching.tidy(now=much_later)
    assert not Watch.objects.exists() and set(awaited.all()) == {"signed_up"}


def test_an_archived_journey_watches_nothing_any_more():

    contact = enter(leaving([SUBSCRIBED]))
    publishing.archive(slug="journey", now=clock.now())
    assert left(contact) == ("exited", "workflow_archived")
    watching.tidy(now=clock.now() + timedelta(hours=2))
    assert not Watch.objects.exists() and not AwaitedEvent.objects.exists()


def test_nothing_is_asked_where_no_version_watches_anything():
    contact = enter(definition(PAUSE))
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="customer", source="api", now=now))
    journeys.track(contact.pk, "subscribed")
    assert not WatchCheck.objects.exists()


def test_a_score_takes_out_after_the_event_that_raised_it_of_whatever_type():
    with transaction.atomic():
        versions.activate(rules=[{"name": "r", "signal": {"event": "demo_requested"}, "points": 60}], now=clock.now())
    contact = enter(leaving([{"condition": {"field": "score", "op": "gte", "value": 60}}]))
    journeys.track(contact.pk, "demo_requested")
    journeys.run()
    assert left(contact) == ("exited", "goal_achieved")


@pytest.mark.parametrize(
    ("exit_", "place", "code"),
    [
        ({"goal": [{"event": "a", "where": {"field": "event.x", "op": "??", "value": 1}}]}, "exit.goal.0.where.op",
         "unknown_operator"),
        ({"goal": [{"condition": {"field": "event.x", "op": "eq", "value": 1}}]}, "exit.goal.0.condition.field",
         "out_of_scope"),
        ({"disqualify": [{"event": "a"}, {"condition": {"nothing": 1}}]}, "exit.disqualify.1.condition",
         "unknown_node"),
        ({"goal": [{}]}, "exit.goal.0", "bad_value"),
        ({"goal": [{"event": "a", "condition": {"has_tag": "x"}}]}, "exit.goal.0", "bad_value"),
        ({"goal": [{"condition": {"has_tag": "x"}, "where": {"has_tag": "x"}}]}, "exit.goal.0", "bad_value"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_said_at_its_place(exit_, place, code):
    problems = validate(definition(PAUSE, exit=exit_))
    assert [(problem.step, problem.field, problem.code) for problem in problems if problem.severity == "error"] == [
        (None, place, code)
    ]


def test_rules_may_refer_to_the_entry_event():
    good = {"goal": [{"event": "a", "where": {"all": [
        {"field": "event.x", "op": "eq", "value": {"ref": "trigger.x"}}, {"has_tag": "vip"},
    ]}}], "disqualify": [{"condition": {"field": "plan", "op": "eq", "value": {"ref": "trigger.plan"}}}]}  # fmt: skip
    assert validate(definition(PAUSE, exit=good)) == []
    assert not Workflow.objects.exists()
