"""`skip_if` takes a contact past a step, at the moment of arrival."""

from __future__ import annotations

import pytest

from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows.definition.validation import validate
from workflows.models import JournalEntry

PAID = {"field": "plan", "op": "eq", "value": "paid"}


@pytest.mark.django_db(transaction=True)
def test_those_for_whom_it_is_true_go_past_and_the_others_do_the_step():
    document = definition({"nudge": {**step("add_tag", tag="nudged"), "skip_if": PAID}})
    journeys.publish(document)
    paid = journeys.contact("p@example.com", attributes={"plan": "paid"}).pk
    trial = journeys.contact("t@example.com", attributes={"plan": "trial"}).pk
    journeys.track([paid, trial], "signed_up")
    journeys.run()
    details = {row.contact_id: row.detail for row in JournalEntry.objects.all()}
    assert details[paid] == {"skipped": "skip_if"}
    assert "skipped" not in details[trial]
    tagged = Contact.objects.raw("SELECT c.* FROM contacts c JOIN contact_tags t ON t.contact_id = c.id")
    assert [contact.pk for contact in tagged] == [trial]


@pytest.mark.django_db(transaction=True)
def test_who_waits_already_is_not_asked_again():
    document = definition({"wait": {**step("wait", mode="duration", **{"for": "P1D"}), "skip_if": PAID}})
    journeys.publish(document)
    contact = journeys.contact(attributes={"plan": "trial"})
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    Contact.objects.filter(pk=contact.pk).update(attributes={"plan": "paid"})
    journeys.wake_all()
    journeys.run()
    assert journeys.path(journeys.enrolment(contact.pk).pk) == [("wait", "waiting", ""), ("wait", "advanced", "next")]


@pytest.mark.django_db(transaction=True)
def test_a_branch_that_is_skipped_leads_on_through_else():
    arms = [{"key": "yes", "if": PAID}]
    document = definition(
        {
            "ask": {**step("branch", {"yes": "in", "else": "out"}, arms=arms), "skip_if": PAID},
            "in": step("add_tag", tag="in"),
            "out": step("add_tag", tag="out"),
        }
    )
    journeys.publish(document)
    contact = journeys.contact(attributes={"plan": "paid"}).pk
    journeys.track(contact, "signed_up")
    journeys.run()
    assert journeys.path(journeys.enrolment(contact).pk)[0] == ("ask", "advanced", "else")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ({**step("add_tag", tag="t"), "skip_if": {"field": "x"}}, ("a", "skip_if.op", "missing_key")),
        ({**step("exit", {}), "skip_if": PAID}, ("a", "skip_if", "no_way_on")),
    ],
)
def test_mistakes_in_it_are_named_with_their_place(first, problem):
    assert problem in [(found.step, found.field, found.code) for found in validate(definition({"a": first}))]
