"""The step `update_contact`: constants and values of the entry event, through the ground floor's door."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, ContactChange
from contacts.signals import contacts_changed
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake
from workflows.definition.validation import validate
from workflows.models import Enrolment, JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)


def run(wanted: dict, *, properties: dict | None = None, **fields) -> Contact:
    journeys.publish(definition({"set": step("update_contact", set=wanted)}))
    contact = journeys.contact(**fields)
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "completed"
    contact.refresh_from_db()
    return contact


def test_fields_and_attributes_are_set_and_written_down():
    contact = run({"timezone": "Asia/Tokyo", "plan": "pro", "attributes.seats": 3}, attributes={"plan": "free"})
    assert (contact.timezone, contact.attributes) == ("Asia/Tokyo", {"plan": "pro", "seats": 3})
    changes = ContactChange.objects.filter(contact_id=contact.pk, source="workflow:journey")
    assert set(changes.values_list("kind", "name", "old", "new")) == {
        ("field", "timezone", "", "Asia/Tokyo"), ("attribute", "plan", "free", "pro"), ("attribute", "seats", None, 3),
    }  # fmt: skip


def test_attributes_may_stand_in_an_object_of_their_own_as_in_the_api():
    contact = run({"attributes": {"plan": "pro", "old": None}}, attributes={"old": 1, "kept": 2})
    assert contact.attributes == {"plan": "pro", "kept": 2}


def test_null_removes_an_attribute_and_clears_a_field():
    contact = run({"plan": None, "region": None}, attributes={"plan": "free", "kept": 1}, region="EU")
    assert (contact.attributes, contact.region) == ({"kept": 1}, "")


def test_values_come_from_the_entry_event():
    wanted = {
        "seats": {"ref": "trigger.team.seats"},
        "because": {"ref": "trigger.type"},
        "locale": {"ref": "trigger.l"},
    }
    contact = run(wanted, properties={"team": {"seats": 7}, "l": "de-DE"})
    assert (contact.attributes, contact.locale) == ({"seats": 7, "because": "signed_up"}, "de-DE")


def test_what_the_event_does_not_have_or_cannot_be_changes_nothing_and_the_journal_says_so():
    wanted = {"timezone": {"ref": "trigger.zone"}, "plan": {"ref": "trigger.plan"}, "seats": {"ref": "trigger.seats"}}
    contact = run(
        wanted, properties={"zone": "Mars/Olympus", "seats": 2}, timezone="Asia/Tokyo", attributes={"plan": "x"}
    )
    assert (contact.timezone, contact.attributes) == ("Asia/Tokyo", {"plan": "x", "seats": 2})
    detail = JournalEntry.objects.get().detail
    assert detail == {"missing": ["attributes.plan"], "refused": ["timezone"]}


def test_the_floors_above_hear_of_it_in_the_lane_of_the_journey():
    heard = []

    def hear(contact_ids, kinds, lane, **_):
        heard.append((contact_ids, kinds, lane))

    contacts_changed.connect(hear)
    try:
        journeys.publish(definition({"set": step("update_contact", set={"plan": "pro"})}, settings={"lane": "bulk"}))
        contact = journeys.contact()
        journeys.track(contact.pk, "signed_up")
        journeys.run()
    finally:
        contacts_changed.disconnect(hear)
    assert ((contact.pk,), frozenset({"attribute"}), "bulk") in heard


def test_the_same_again_is_no_change():
    contact = run({"plan": "pro"}, attributes={"plan": "pro"})
    assert not ContactChange.objects.filter(contact_id=contact.pk).exists()


def test_a_batch_of_five_hundred_costs_what_a_batch_of_five_costs():
    wanted = {"plan": "pro", "seats": {"ref": "trigger.seats"}}
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"set": step("update_contact", set=wanted)}, slug=slug))
        rows = Contact.objects.bulk_create([Contact(email=f"{count}-{n}@example.com") for n in range(count)])
        journeys.track([row.pk for row in rows], "signed_up", properties={"seats": count})
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        assert Contact.objects.filter(attributes__seats=count).count() >= count
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 1  # a version is read once in a process


@pytest.mark.parametrize(
    ("wanted", "field", "code"),
    [
        ({"timezone": "Mars/Olympus"}, "config.set.timezone", "timezone"),
        ({"email": "ada@example.com"}, "config.set.email", "unknown_field"),
        ({"phone": "+1 555 0100"}, "config.set.phone", "unknown_field"),
        ({"tags": ["vip"]}, "config.set.tags", "unknown_field"),
        ({"score": 5}, "config.set.score", "unknown_field"),
        ({"plan": {"ref": "event.plan"}}, "config.set.plan.ref", "wrong_value"),
        ({"frequency_cap": {"per_day": -1}}, "config.set.frequency_cap.per_day", "range"),
        ({"attributes": "x"}, "config.set.attributes", "type"),
        ({"locale": 5}, "config.set.locale", "type"),
        ({}, "config.set", "bad_config"),
    ],
)
def test_what_cannot_be_set_is_said_at_its_place(wanted, field, code):
    found = validate(definition({"set": step("update_contact", set=wanted)}))
    assert (field, code) in {(problem.field, problem.code) for problem in found}
