"""The step `emit_event`: our own event of the contact, once, in the journey's lane, and never round for ever."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, ContactEvent
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake
from workflows.definition.validation import validate
from workflows.entry import hops
from workflows.models import Enrolment, JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)


def emit(kind: str = "trial_warmed_up", **properties) -> dict:
    return step("emit_event", type=kind, properties=properties)


def entry(event: str) -> dict:
    return {"trigger": {"type": "event", "event": event}, "re_entry": {"policy": "every_time"}}


def events(kind: str = "trial_warmed_up") -> list[ContactEvent]:
    return list(ContactEvent.objects.filter(type=kind).order_by("id"))


def test_the_event_is_recorded_with_values_of_the_entry_event():
    properties = {"order": {"ref": "trigger.order_id"}, "deep": [{"total": {"ref": "trigger.total"}}], "source": "tour"}
    journeys.publish(definition({"emit": emit(**properties)}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", properties={"order_id": "A-1"})
    journeys.run()
    (event,) = events()
    assert event.properties == {"order": "A-1", "deep": [{"total": None}], "source": "tour"}
    assert (event.contact_id, event.source, event.processed) == (contact.pk, "own", True)


def test_the_event_starts_another_journey_in_the_same_lane():
    journeys.publish(definition({"emit": emit()}, settings={"lane": "bulk"}))
    journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug="other", entry=entry("trial_warmed_up")))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    other = journeys.enrolment(contact.pk, "other")
    assert (other.state, other.lane) == ("completed", "bulk")
    assert hops.via(other.trigger) == ("journey",)


def test_a_step_that_is_run_again_records_no_second_event():
    """The key is of the enrolment and its place in the journal, as a worker would use it that ran the step twice."""
    journeys.publish(definition({"emit": emit()}))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    enrolment = journeys.enrolment(contact.pk)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE workflow_journal")
    Enrolment.objects.filter(pk=enrolment.pk).update(state="active", seq=0, finished_at=None)
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "completed"
    assert len(events()) == 1


def test_two_journeys_that_start_each_other_stop_after_ten_rounds():
    journeys.publish(definition({"emit": emit("pong")}, slug="ping", entry=entry("pinged")))
    journeys.publish(definition({"emit": emit("pinged")}, slug="pong", entry=entry("pong")))
    contact = journeys.contact()
    journeys.track(contact.pk, "pinged")
    journeys.run()
    assert Enrolment.objects.count() == hops.MOST + 1
    last = Enrolment.objects.latest("id")
    assert JournalEntry.objects.get(enrolment_id=last.pk).detail == {"skipped": "loop", "journeys": hops.MOST}
    assert last.state == "completed"


def test_a_producer_cannot_say_where_an_event_comes_from():
    """Only our own events carry the chain: a stranger's context is not read."""
    journeys.publish(definition({"emit": emit()}))
    from django.db import transaction

    from contacts import clock
    from contacts import events as log

    contact = journeys.contact()
    with transaction.atomic():
        now = clock.now()
        event = log.NewEvent("signed_up", now, contact.pk, {}, context={"via": ["x"] * 20})
        log.record_batch([event], source="api", now=now)
    journeys.run()
    assert len(events()) == 1


@pytest.mark.parametrize(
    ("kind", "properties", "field", "code"),
    [
        ("email_opened", {}, "config.type", "reserved"),
        ("tag_added", {}, "config.type", "reserved"),
        ("webhook_answered", {}, "config.type", "reserved"),
        ("", {}, "config.type", "bad_config"),
        ("a\tb", {}, "config.type", "bad_value"),
        ("ours", {"a": {"ref": "contact.plan"}}, "config.properties.a.ref", "wrong_value"),
        ("ours", {"a": [{"ref": "trigger."}]}, "config.properties.a.0.ref", "unknown_field"),
        ("ours", {"a": "x" * 9000}, "config.properties.a", "too_long"),
    ],
)
def test_what_cannot_be_recorded_is_said_at_its_place(kind, properties, field, code):
    found = validate(definition({"emit": step("emit_event", type=kind, properties=properties)}))
    assert (field, code) in {(problem.field, problem.code) for problem in found}


def test_a_batch_of_five_hundred_costs_what_a_batch_of_five_costs():
    costs = []
    for count in (5, 500):
        slug = f"journey-{count}"
        journeys.publish(definition({"emit": emit(f"warm_{count}", n={"ref": "trigger.n"})}, slug=slug))
        rows = Contact.objects.bulk_create([Contact(email=f"{count}-{n}@example.com") for n in range(count)])
        journeys.track([row.pk for row in rows], "signed_up", properties={"n": count})
        while intake.match_batch(lane="urgent"):
            pass
        Enrolment.objects.exclude(workflow__slug=slug).filter(finished_at=None).update(held=True)
        with CaptureQueriesContext(connection) as queries:
            assert engine.advance_batch(lane="urgent", limit=1000)
        assert len(events(f"warm_{count}")) == count
        costs.append(len(queries))
    assert abs(costs[0] - costs[1]) <= 1  # a version is read once in a process
