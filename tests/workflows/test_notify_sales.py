"""The step `notify_sales`: a task for the contact's owner, and a mail that is no message of the contact's."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact
from delivery import notices
from delivery.models import Message, SandboxMail, SendLogEntry, StaffNotice
from scoring.rulesets import versions
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake
from workflows.definition.validation import validate
from workflows.models import Enrolment, JournalEntry, SalesTask

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = "Call {{contact.email}} about {{trigger.plan}} & more: {{company}}"


def run(message: str = MESSAGE, *, properties: dict | None = None, **fields) -> int:
    journeys.publish(definition({"tell": step("notify_sales", message=message)}))
    contact = journeys.contact(**fields)
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "completed"
    return contact.pk


def test_the_owner_gets_a_task_and_a_mail_about_it():
    contact_id = run(properties={"plan": "gold"}, owner_email="maya@example.com", attributes={"company": "A <b>"})
    task = SalesTask.objects.get()
    assert (task.contact_id, task.owner_email, task.done_at) == (contact_id, "maya@example.com", None)
    assert task.message == "Call ada@example.com about gold & more: A <b>"
    assert notices.deliver_batch("urgent")
    mail = SandboxMail.objects.get()
    assert (mail.to_address, mail.subject) == ("maya@example.com", "Sales task: ada@example.com")
    assert mail.text.startswith(task.message)
    assert f"/admin/contacts/contact/{contact_id}/change/" in mail.text


def test_the_mail_is_no_message_of_the_contacts_and_no_cap_counts_it():
    run(owner_email="maya@example.com")
    notices.deliver_batch("urgent")
    assert not Message.objects.exists()
    assert not SendLogEntry.objects.exists()


def test_a_contact_whom_nobody_owns_gets_a_task_all_the_same():
    contact_id = run()
    assert SalesTask.objects.get().owner_email == ""
    assert JournalEntry.objects.get(contact_id=contact_id).detail == {"mail": "no_owner"}
    assert not StaffNotice.objects.exists()


def test_an_owner_who_has_no_address_gets_a_task_alone():
    contact_id = run(owner_email="Maya from sales")
    assert SalesTask.objects.get().owner_email == "Maya from sales"
    assert JournalEntry.objects.get(contact_id=contact_id).detail == {"mail": "bad_address"}


def test_a_subject_has_one_line_whatever_the_contact_is_called():
    journeys.publish(definition({"tell": step("notify_sales", message="x")}))
    contact = journeys.contact(email="", external_id="a\r\nBcc: b@example.com", owner_email="maya@example.com")
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert StaffNotice.objects.get().subject == "Sales task: a Bcc: b@example.com"


def test_a_batch_of_five_hundred_costs_what_a_batch_of_five_costs():
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"tell": step("notify_sales", message=MESSAGE)}, slug=slug))
        owned = [Contact(email=f"{count}-{n}@example.com", owner_email="maya@example.com") for n in range(count)]
        rows = Contact.objects.bulk_create(owned)
        journeys.track([row.pk for row in rows], "signed_up")
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        assert SalesTask.objects.count() >= count
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 1  # a version is read once in a process


RULES = [
    {"name": "Signed up", "signal": {"event": "signed_up"}, "points": 12.5},
    {"name": "Director", "signal": {"field": "job_title", "op": "contains", "value": "Director"}, "points": 20},
]
WHY = "{{score}} points: {{score_reasons}} ({{lifecycle_stage}})"


def scored(**settings) -> None:
    with transaction.atomic():
        versions.activate(rules=RULES, now=journeys.clock.now(), **settings)


def test_the_message_tells_the_score_why_and_the_stage():
    scored(mql_threshold=500)
    journeys.publish(
        definition(
            {
                "become": step("change_lifecycle_stage", {"next": "tell"}, to="sql"),
                "tell": step("notify_sales", message=WHY),
            }
        )
    )
    contact = journeys.contact(attributes={"job_title": "Director", "score": 1}, owner_email="maya@example.com")
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    said = "32.5 points: Director (+20); Signed up (once, +12.5) (SQL)"
    assert SalesTask.objects.get().message == said
    notices.deliver_batch("urgent")
    assert SandboxMail.objects.get().text.startswith(said)
    assert said not in str(list(JournalEntry.objects.values_list("detail", flat=True)))


def test_without_rules_and_stage_the_message_names_nothing():
    run(WHY)
    assert SalesTask.objects.get().message == "0 points:  ()"


def test_the_score_of_five_hundred_costs_what_that_of_five_costs():
    scored()
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"tell": step("notify_sales", message=WHY)}, slug=slug))
        rows = Contact.objects.bulk_create([Contact(email=f"{count}-{n}@example.com") for n in range(count)])
        journeys.track([row.pk for row in rows], "signed_up")
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 1  # a version is read once in a process


def test_a_message_that_names_no_score_asks_for_none():
    scored()
    journeys.publish(definition({"tell": step("notify_sales", message=MESSAGE)}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    while intake.match_batch(lane="urgent"):
        pass
    with CaptureQueriesContext(connection) as queries:
        assert engine.advance_batch(lane="urgent", limit=10)
    assert not [query for query in queries if "scoring_rulesets" in query["sql"]]


@pytest.mark.parametrize(
    ("message", "code"), [("{{#a}}", "bad_value"), ("", "bad_config"), ("x" * 20_000, "bad_config")]
)
def test_a_message_that_cannot_be_filled_is_said_at_its_place(message, code):
    found = validate(definition({"tell": step("notify_sales", message=message)}))
    assert [(problem.field, problem.code) for problem in found] == [("config.message", code)]
