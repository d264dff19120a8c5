"""The step `enter_workflow`: one journey asks that a contact enters another, and circles come to an end."""

from __future__ import annotations

import pytest

from tests import journeys
from tests.journeys import definition, step
from workflows import publishing
from workflows.definition.validation import validate
from workflows.entry import entry_requests, hops
from workflows.models import Enrolment, EntryRequest, JournalEntry, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
AGAIN = {"trigger": {"type": "event", "event": "never_sent"}, "re_entry": {"policy": "every_time"}}


def into(slug: str) -> dict:
    return step("enter_workflow", workflow=slug)


def started(document: dict, **properties) -> int:
    journeys.publish(document)
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    return contact.pk


def detail(contact_id: int, slug: str = "journey") -> dict:
    return JournalEntry.objects.get(
        enrolment_id=journeys.enrolment(contact_id, slug).pk, step_type="enter_workflow"
    ).detail


def test_the_contact_enters_the_other_journey_with_what_started_this_one():
    journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="other", entry=AGAIN))
    contact_id = started(definition({"go": into("other")}), order_id="A-1")
    other = journeys.enrolment(contact_id, "other")
    assert other.state == "completed"
    assert (other.trigger["type"], other.trigger["properties"]) == ("enter_workflow", {"order_id": "A-1"})
    assert hops.via(other.trigger) == ("journey",)
    assert not EntryRequest.objects.exists()


def test_the_request_is_written_with_the_step_and_stays_in_its_lane(monkeypatch):
    monkeypatch.setattr(entry_requests, "take_batch", lambda **_: False)
    journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="other", entry=AGAIN))
    contact_id = started(definition({"go": into("other")}, settings={"lane": "bulk"}))
    request = EntryRequest.objects.get()
    assert (request.contact_id, request.lane) == (contact_id, "bulk")
    assert request.workflow_id == Workflow.objects.get(slug="other").pk


def test_a_circle_of_journeys_is_warned_of_and_ends():
    journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="b", entry=AGAIN))
    journeys.publish(definition({"go": into("b")}, slug="a", entry=AGAIN))
    back = definition({"go": into("a")}, slug="b", entry=AGAIN)
    assert [(problem.code, problem.severity) for problem in validate(back)] == [("cycle", "warning")]
    journeys.publish(back)
    contact_id = started(definition({"go": into("a")}))
    assert sorted(Enrolment.objects.values_list("workflow__slug", flat=True)) == ["a", "b", "journey"]
    assert detail(contact_id, "b") == {"skipped": "loop", "via": ["journey", "a", "b"]}


def test_a_journey_that_was_archived_meanwhile_is_passed_over(now):
    journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="other", entry=AGAIN))
    journeys.publish(definition({"go": into("other")}))
    publishing.archive(slug="other", now=now)
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert detail(contact.pk) == {"skipped": "workflow_archived"}
    assert journeys.enrolment(contact.pk).state == "completed"


@pytest.mark.parametrize(
    ("slug", "code"), [("journey", "cycle"), ("nowhere", "ref_missing"), ("No Slug", "bad_config")]
)
def test_where_it_cannot_lead_is_an_error(slug, code):
    found = validate(definition({"go": into(slug)}))
    assert [(problem.step, problem.field, problem.code, problem.severity) for problem in found] == [
        ("go", "config.workflow", code, "error")
    ]
