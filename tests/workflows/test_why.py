""" "Why did she get this?" and "why not?" are answered from what was written down, or worked out and said to be so."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from contacts import clock
from contacts.access import create_key
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing

pytestmark = pytest.mark.django_db(transaction=True)

GOLD = {"field": "plan", "op": "eq", "value": "gold"}
TRIAL = {"field": "event.plan", "op": "eq", "value": "trial"}


@pytest.fixture
def ask(client: Client):
    with transaction.atomic():
        key = create_key(name="why", kind="secret", scopes=["contacts:read"], now=clock.now())

    def asked(contact: Contact, slug: str = "journey", status: int = 200) -> dict:
        answer = client.get(
            f"/api/v1/contacts/{contact.public_id}/why?workflow={slug}", headers={"authorization": f"Bearer {key}"}
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    return asked


def gate(answer: dict, name: str) -> dict:
    return next(each for each in answer["gates"] if each["gate"] == name)


def first_no(answer: dict) -> str:
    return next(each["gate"] for each in answer["gates"] if not each["passed"])


def published(**changes: object) -> None:
    branch = step(
        "branch",
        {"big": "wait", "else": None},
        arms=[{"key": "big", "if": {"field": "seats", "op": "gte", "value": 3}}],
    )
    steps = {"size": branch, "wait": step("wait", mode="duration", **{"for": "P1D"})}
    journeys.publish(definition(steps, **changes))


def test_of_who_entered_it_tells_the_event_the_values_of_each_branch_and_where_they_wait(ask):
    published()
    contact = journeys.contact(attributes={"seats": 5})
    journeys.track(contact.pk, "signed_up", properties={"plan": "trial"})
    journeys.run()
    answer = ask(contact)
    assert answer["entered"] and "because “signed_up” happened, and waits at “wait” until" in answer["answer"]
    assert gate(answer, "event")["read"]["properties"] == {"plan": "trial"}
    assert gate(answer, "step:size")["read"] == [{"asked": "seats is at least 3", "read": 5}]
    assert gate(answer, "step:size")["reason"] == "Took the path “big”"
    assert {each["as_of"] for each in answer["gates"][:-1]} == {"then"}


def test_what_a_branch_read_is_told_as_it_was_then(ask):
    published()
    contact = journeys.contact(attributes={"seats": 1})
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    Contact.objects.filter(pk=contact.pk).update(attributes={"seats": 9})
    answer = ask(contact)
    assert gate(answer, "step:size")["read"] == [{"asked": "seats is at least 3", "read": 1}]
    assert answer["answer"].endswith("and came to the end.")


def test_a_refusal_is_told_as_it_was_written_down(ask):
    published(entry={"trigger": {"type": "event", "event": "signed_up"}, "audience": GOLD})
    contact = journeys.contact(attributes={"plan": "trial"})
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    Contact.objects.filter(pk=contact.pk).update(attributes={"plan": "gold"})
    answer = ask(contact)
    assert (first_no(answer), gate(answer, "audience")["as_of"]) == ("audience", "then")
    assert gate(answer, "audience")["read"] == [{"asked": "plan is “gold”", "read": "trial"}]
    assert [each["reason"] for each in answer["refusals"]] == ["audience"]


def test_of_a_journey_that_was_never_entered_it_names_the_first_gate_that_says_no(ask):
    where = {"trigger": {"type": "event", "event": "signed_up", "where": TRIAL}, "audience": GOLD}
    published(entry=where, settings={"rollout_percent": 0})
    contact = journeys.contact(attributes={"plan": "free"})
    assert (first_no(ask(contact)), ask(contact)["entered"]) == ("event", False)
    assert "“signed_up” never happened" in ask(contact)["answer"]
    journeys.track(contact.pk, "signed_up", properties={"plan": "paid"})
    journeys.run()
    answer = ask(contact)
    assert first_no(answer) == "match"
    assert gate(answer, "match")["read"] == [{"asked": "the event’s plan is “trial”", "read": "paid"}]
    assert {each["as_of"] for each in answer["gates"]} == {"now"}


def test_it_says_that_an_event_came_before_the_journey_was_published(ask):
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    published()
    assert first_no(ask(contact)) == "published"


def test_an_old_event_starts_nothing_and_it_says_so(ask):
    published()
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", occurred_at=clock.now() - timedelta(days=90))
    journeys.run()
    assert first_no(ask(contact)) in {"age", "too_old"}


def test_a_journey_that_does_not_run_is_the_first_reason(ask):
    published()
    publishing.pause(slug="journey", now=clock.now())
    contact = journeys.contact()
    assert first_no(ask(contact)) == "workflow"


def test_who_would_enter_today_is_told_so(ask):
    published()
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")  # and not matched yet
    assert all(each["passed"] for each in ask(contact)["gates"])


def test_it_wants_a_workflow_that_is_there(ask):
    contact = journeys.contact()
    ask(contact, slug="", status=400)
    ask(contact, slug="nowhere", status=404)
