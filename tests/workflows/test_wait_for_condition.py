"""Waiting until a condition is true of the contact."""

from datetime import timedelta

import pytest

from analytics.counting import rebuild
from analytics.models import CounterDelta
from contacts import clock, transactions
from contacts.audiences import membership, segments, tags
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows.definition.validation import validate
from workflows.models import Enrolment, JournalEntry, Watch

pytestmark = pytest.mark.django_db(transaction=True)

WAYS = {"happened": "yes", "timed_out": "no"}
ENDS = {"yes": step("add_tag", tag="yes"), "no": step("add_tag", tag="no")}
VIP = {"has_tag": "vip"}


def waiting(condition: dict, timeout: str = "P3D") -> dict:
    return {"wait": step("wait_for_condition", WAYS, timeout=timeout, **{"if": condition}), **ENDS}


def enter(document: dict, contact: Contact | None = None, **properties) -> Contact:
    journeys.publish(document)
    contact = contact or journeys.contact()
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    return contact


def tag(contact: Contact, name: str = "vip") -> None:
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag=name, source="api", now=now))


def way(contact: Contact) -> list[str]:
    return [row[0] for row in journeys.path(journeys.enrolment(contact.pk).pk) if row[1] == "advanced"]


def test_who_arrives_when_it_is_true_does_not_wait():
    contact = journeys.contact()
    tag(contact)
    enter(definition(waiting(VIP)), contact)
    assert journeys.path(journeys.enrolment(contact.pk).pk)[0] == ("wait", "advanced", "happened")


def test_a_change_ends_the_wait_and_the_journal_keeps_what_was_read():
    contact = enter(definition(waiting(VIP)))
    assert journeys.enrolment(contact.pk).state == "waiting"
    tag(contact)
    journeys.run()
    assert way(contact) == ["wait", "yes"]
    assert JournalEntry.objects.get(port="happened").detail == {"read": [True]}


def test_at_the_deadline_it_is_asked_once_more():
    contact = enter(definition(waiting(VIP, timeout="PT1S")))
    journeys.wake_all()
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting", "woken too early, it waits on"
    enrolment = journeys.enrolment(contact.pk)
    while clock.now() <= enrolment.wake_at:
        pass
    journeys.run()
    assert way(contact) == ["wait", "no"]


def test_counted_events_and_segments_are_watched_too():
    contact = enter(definition(waiting({"any": [
        {"event": "page_viewed", "op": "gte", "count": 2}, {"in_segment": "active"}, {"field": "lifecycle_stage",
         "op": "eq", "value": "customer"},
    ]})))  # fmt: skip
    assert set(Watch.objects.values_list("about", flat=True)) == {
        "event:page_viewed", "segment:active", "event:lifecycle_changed",
    }  # fmt: skip
    journeys.track(contact.pk, "page_viewed", key="1")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"
    journeys.track(contact.pk, "page_viewed", key="2")
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_coming_into_a_segment_ends_the_wait():
    transactions.run(lambda now: segments.create(slug="vips", name="VIPs", condition=VIP, now=now))
    contact = enter(definition(waiting({"in_segment": "vips"})))
    tag(contact)
    while transactions.run(lambda now: membership.check_batch("urgent", now)):
        pass
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_a_value_may_be_the_entry_events():
    condition = {"field": "plan", "op": "eq", "value": {"ref": "trigger.plan"}}
    contact = journeys.contact(attributes={"plan": "trial"})
    enter(definition(waiting(condition)), contact, plan="pro")
    assert journeys.enrolment(contact.pk).state == "waiting"
    Contact.objects.filter(pk=contact.pk).update(attributes={"plan": "pro"})
    journeys.wake_all()
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_what_time_makes_true_is_looked_at_every_minute():
    silent = {"not": {"event": "page_viewed", "within": "P30D"}}
    contact = journeys.contact()
    journeys.track(contact.pk, "page_viewed")
    enter(definition(waiting(silent)), contact)
    ahead = journeys.enrolment(contact.pk).wake_at - clock.now()
    assert timedelta(seconds=50) < ahead <= timedelta(seconds=60)


def test_a_frozen_attribute_is_read_as_it_was_at_entry():
    pro = {"field": "plan", "op": "eq", "value": "pro"}
    contact = journeys.contact(attributes={"plan": "trial"})
    enter(definition(waiting(pro), settings={"snapshot_attributes": True}), contact)
    Contact.objects.filter(pk=contact.pk).update(attributes={"plan": "pro"})
    journeys.wake_all()
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"if": VIP}, "config.timeout", "bad_config"),
        ({"if": VIP, "timeout": "soon"}, "config.timeout", "bad_value"),
        ({"timeout": "P1D"}, "config.if", "bad_config"),
        ({"if": {"field": "event.x", "op": "eq", "value": 1}, "timeout": "P1D"}, "config.if.field", "out_of_scope"),
    ],
)
def test_what_is_wrong_with_the_settings_is_said_at_its_place(config, field, code):
    problems = validate(definition({"wait": step("wait_for_condition", WAYS, **config), **ENDS}))
    assert [(problem.step, problem.field, problem.code) for problem in problems] == [("wait", field, code)]


# -- goals as steps ----------------------------------------------------------------------------------------------------


def test_a_goal_is_counted_and_the_journey_goes_on():
    steps = {"goal": step("goal", {"next": "tag"}, name="Activated"), "tag": step("add_tag", tag="t")}
    contact = enter(definition(steps))
    assert way(contact) == ["goal", "tag"] and Enrolment.objects.get().state == "completed"
    assert JournalEntry.objects.get(step="goal").detail == {"goal": "Activated"}
    assert list(CounterDelta.objects.filter(metric="reached").values_list("step", "amount")) == [("goal", 1)]


def test_a_goal_that_is_passed_over_is_not_counted_and_the_recount_agrees():
    steps = {"goal": step("goal", name="Activated")}
    steps["goal"]["skip_if"] = VIP
    vip = journeys.contact("vip@example.com")
    tag(vip)
    enter(definition(steps), vip)
    other = journeys.contact("other@example.com")
    journeys.track(other.pk, "signed_up")
    journeys.run()
    assert list(CounterDelta.objects.filter(metric="reached").values_list("amount", flat=True)) == [1]
    assert rebuild.compare().differences == ()
