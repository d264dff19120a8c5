"""Intake: matching, deduplication, re-entry, and two workers that meet over one contact."""

import threading

import pytest
from django.db import connection

from contacts.models import PendingEvent
from tests import journeys
from tests.journeys import definition, step
from workflows import intake, publishing
from workflows.models import Enrolment, EntryRefusal, ProcessedTrigger

pytestmark = pytest.mark.django_db(transaction=True)

END = {"tag": step("add_tag", tag="t")}


def entry(re_entry: dict | None = None, where: dict | None = None, audience: dict | None = None) -> dict:
    trigger = {"type": "event", "event": "signed_up", **({"where": where} if where else {})}
    return {
        "trigger": trigger,
        "re_entry": re_entry or {"policy": "never"},
        **({"audience": audience} if audience else {}),
    }


def match_all(lane: str = "urgent") -> None:
    while intake.match_batch(lane=lane):
        pass


def test_an_event_enrols_its_contact_and_leaves_the_queue():
    journeys.publish(definition(END))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", properties={"plan": "trial"})
    match_all()
    enrolment = journeys.enrolment(contact.pk)
    assert (enrolment.state, enrolment.step, enrolment.lane) == ("active", "tag", "urgent")
    assert enrolment.trigger["properties"] == {"plan": "trial"} and enrolment.trigger["type"] == "signed_up"
    assert not PendingEvent.objects.exists()


def test_events_that_nothing_waits_for_only_leave_the_queue():
    journeys.track(journeys.contact().pk, "page_viewed")
    match_all()
    assert not PendingEvent.objects.exists() and not ProcessedTrigger.objects.exists()


def test_the_filter_of_the_trigger_reads_the_event_and_the_audience_reads_the_contact():
    journeys.publish(definition(END, entry=entry(
        where={"field": "event.plan", "op": "eq", "value": "trial"},
        audience={"field": "country", "op": "in", "value": ["DE", "FR"]},
    )))  # fmt: skip
    right = journeys.contact("r@example.com", attributes={"country": "DE"})
    wrong_place = journeys.contact("w@example.com", attributes={"country": "US"})
    wrong_plan = journeys.contact("p@example.com", attributes={"country": "DE"})
    journeys.track([right.pk, wrong_place.pk], "signed_up", properties={"plan": "trial"})
    journeys.track(wrong_plan.pk, "signed_up", properties={"plan": "free"})
    match_all()
    assert list(Enrolment.objects.values_list("contact_id", flat=True)) == [right.pk]
    refusals = EntryRefusal.objects.values_list("contact_id", "reason")
    assert list(refusals) == [(wrong_place.pk, "audience")]


def test_re_entry_never_bars_every_later_entry_and_says_so():
    journeys.publish(definition(END))
    contact = journeys.contact()
    for number in range(3):
        journeys.track(contact.pk, "signed_up", key=f"k{number}")
        journeys.run()
    assert Enrolment.objects.count() == 1
    assert list(EntryRefusal.objects.values_list("reason", flat=True)) == ["re_entry", "re_entry"]


def test_two_events_of_a_contact_in_one_batch_enrol_once():
    journeys.publish(definition(END, entry=entry({"policy": "after_exit"})))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", key="a")
    journeys.track(contact.pk, "signed_up", key="b")
    match_all()
    assert Enrolment.objects.count() == 1 and EntryRefusal.objects.count() == 1


def test_after_exit_lets_in_again_once_the_first_is_over():
    journeys.publish(definition(END, entry=entry({"policy": "after_exit"})))
    contact = journeys.contact()
    for key in ("a", "b"):
        journeys.track(contact.pk, "signed_up", key=key)
        journeys.run()
    assert Enrolment.objects.filter(state="completed").count() == 2


def test_a_cooldown_bars_until_it_is_over():
    journeys.publish(definition(END, entry=entry({"policy": "after_cooldown", "cooldown": "P1D"})))
    contact = journeys.contact()
    for key in ("a", "b"):
        journeys.track(contact.pk, "signed_up", key=key)
        journeys.run()
    assert Enrolment.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET finished_at = finished_at - interval '25 hours'")
    journeys.track(contact.pk, "signed_up", key="c")
    journeys.run()
    assert Enrolment.objects.count() == 2


def test_an_entry_key_separates_orders():
    journeys.publish(definition(END, entry=entry({"policy": "never", "key": "event.order_id"})))
    contact = journeys.contact()
    for number, order in enumerate(("A", "B", "A")):
        journeys.track(contact.pk, "signed_up", key=f"k{number}", properties={"order_id": order})
        journeys.run()
    assert sorted(Enrolment.objects.values_list("entry_key", flat=True)) == ["A", "B"]


def test_a_key_that_was_used_starts_nothing_again_even_after_its_event_key_was_pruned():
    journeys.publish(definition(END, entry=entry({"policy": "after_exit"})))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", key="once")
    journeys.run()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM event_keys")
    journeys.track(contact.pk, "signed_up", key="once")
    journeys.run()
    assert Enrolment.objects.count() == 1


def test_a_paused_workflow_takes_nobody(now):
    journeys.publish(definition(END))
    publishing.pause(slug="journey", now=now)
    journeys.track(journeys.contact().pk, "signed_up")
    match_all()
    assert not Enrolment.objects.exists()


def test_an_event_that_matches_a_paused_workflow_leaves_that_reason_and_starts_nothing_later(now):
    journeys.publish(definition(END, entry=entry(where={"field": "event.plan", "op": "eq", "value": "trial"})))
    publishing.pause(slug="journey", now=now)
    matching, other = journeys.contacts(2)
    journeys.track(matching, "signed_up", properties={"plan": "trial"})
    journeys.track(other, "signed_up", properties={"plan": "free"})
    match_all()
    publishing.resume(slug="journey", now=now)
    match_all()
    assert list(EntryRefusal.objects.values_list("contact_id", "reason")) == [(matching, "paused")]
    assert not Enrolment.objects.exists() and not PendingEvent.objects.exists()


def test_a_refusal_says_which_version_refused_and_what_it_read():
    document = definition(END, entry=entry({"policy": "after_cooldown", "cooldown": "P1D"}))
    journeys.publish(document)
    contact = journeys.contact()
    for key in ("a", "b"):
        journeys.track(contact.pk, "signed_up", key=key)
        journeys.run()
    refusal = EntryRefusal.objects.get()
    finished = journeys.enrolment(contact.pk).finished_at
    assert refusal.version_id == journeys.enrolment(contact.pk).version_id
    assert refusal.detail == {"policy": "after_cooldown", "finished_at": finished.isoformat()}


def test_an_open_by_a_machine_starts_nothing():
    trigger = {"trigger": {"type": "event", "event": "email_opened"}, "re_entry": {"policy": "never"}}
    journeys.publish(definition(END, entry=trigger))
    human, machine = journeys.contacts(2)
    journeys.track(human, "email_opened", properties={"is_machine": False})
    journeys.track(machine, "email_opened", properties={"is_machine": True})
    match_all()
    assert list(Enrolment.objects.values_list("contact_id", flat=True)) == [human]


def test_a_bulk_event_makes_a_bulk_enrolment():
    journeys.publish(definition(END))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", lane="bulk")
    match_all("urgent")
    assert not Enrolment.objects.exists()
    match_all("bulk")
    assert journeys.enrolment(contact.pk).lane == "bulk"


def test_many_events_of_few_contacts_by_many_workers_enrol_each_contact_once():
    journeys.publish(definition(END))
    ids = journeys.contacts(30)
    for number in range(20):
        journeys.track(ids, "signed_up", key=f"k{number}")
    problems: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(200):
                if not PendingEvent.objects.exists():
                    break
                intake.match_batch(lane="urgent", limit=25)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    match_all()
    assert problems == []
    assert Enrolment.objects.count() == 30
    assert EntryRefusal.objects.count() == 30 * 19
    assert not PendingEvent.objects.exists()
