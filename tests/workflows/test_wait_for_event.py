"""Waiting for an event: what counts, what does not, and until when."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock, transactions
from contacts.audiences import tags
from contacts.models import Contact
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, intake, publishing
from workflows.definition.validation import validate
from workflows.models import Enrolment, JournalEntry, WatchCheck

pytestmark = pytest.mark.django_db(transaction=True)

WAYS = {"happened": "yes", "timed_out": "no"}
ENDS = {"yes": step("add_tag", tag="yes"), "no": step("add_tag", tag="no")}


def waiting(event: str = "order_completed", timeout: str = "P3D", **config) -> dict:
    return {"wait": step("wait_for_event", WAYS, event=event, timeout=timeout, **config), **ENDS}


def enter(document: dict | None = None, **properties) -> Contact:
    """A contact who has arrived at the wait."""
    journeys.publish(document or definition(waiting()))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", properties=properties)
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"
    return contact


def way(contact: Contact) -> list[str]:
    """The steps that somebody passed."""
    return [row[0] for row in journeys.path(journeys.enrolment(contact.pk).pk) if row[1] == "advanced"]


def set_since(contact: Contact, ago: timedelta) -> None:
    """As if the contact had arrived so long ago."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflow_enrolments SET waiting_since = %s, entered_at = %s WHERE contact_id = %s",
                       [now - ago, now - ago, contact.pk])  # fmt: skip


def set_deadline(contact: Contact, ago: timedelta) -> None:
    """As if the wait had been for shorter. The journal is append-only, so the test goes around that."""
    deadline = clock.now() - ago
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE workflow_journal SET detail = jsonb_build_object('deadline', %s::text)"
            " WHERE contact_id = %s AND outcome = 'waiting'",
            [deadline.isoformat(), contact.pk],
        )
        cursor.execute("SET session_replication_role = origin")


def test_the_event_ends_the_wait_and_the_journal_says_which():
    contact = enter()
    event = journeys.track(contact.pk, "order_completed")
    journeys.run()
    assert way(contact) == ["wait", "yes"]
    assert JournalEntry.objects.get(port="happened").detail == {"event_id": event.event_ids[0]}
    assert not WatchCheck.objects.exists()


def test_without_the_event_the_wait_lasts_until_its_deadline():
    contact = enter()
    enrolment = journeys.enrolment(contact.pk)
    assert timedelta(days=2, hours=22) < enrolment.wake_at - clock.now() < timedelta(days=3, hours=2)
    set_deadline(contact, timedelta(seconds=1))
    journeys.wake_all()
    journeys.run()
    assert way(contact) == ["wait", "no"]


def test_other_events_and_events_of_others_end_nothing():
    contact = enter()
    journeys.track(contact.pk, "page_viewed")
    journeys.track(journeys.contact("b@example.com").pk, "order_completed")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"


def test_the_filter_reads_the_event_the_contact_and_the_entry_event():
    contact = enter(definition(waiting(where={"all": [
        {"field": "event.order_id", "op": "eq", "value": {"ref": "trigger.order_id"}},
        {"field": "country", "op": "eq", "value": "DE"},
    ]})), order_id="A")  # fmt: skip
    journeys.track(contact.pk, "order_completed", properties={"order_id": "A"}, key="not in DE")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"
    Contact.objects.filter(pk=contact.pk).update(attributes={"country": "DE"})
    journeys.track(contact.pk, "order_completed", properties={"order_id": "B"}, key="another order")
    journeys.run()
    assert way(contact) == ["wait", "yes"], "the first one meets the filter now, and it came after the arrival"


def test_another_order_does_not_end_the_wait():
    where = {"field": "event.order_id", "op": "eq", "value": {"ref": "trigger.order_id"}}
    contact = enter(definition(waiting(where=where)), order_id="A")
    journeys.track(contact.pk, "order_completed", properties={"order_id": "B"}, key="b")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"
    journeys.track(contact.pk, "order_completed", properties={"order_id": "A"}, key="a")
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_what_happened_before_the_arrival_does_not_count_even_if_it_is_recorded_later():
    contact = enter()
    journeys.track(contact.pk, "order_completed", occurred_at=clock.now() - timedelta(minutes=5))
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"


def test_what_happened_during_the_wait_counts_however_late_it_is_recorded():
    contact = enter()
    set_since(contact, timedelta(days=1))
    journeys.track(contact.pk, "order_completed", occurred_at=clock.now() - timedelta(hours=20))
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_a_sender_that_cuts_its_times_to_the_second_is_not_too_early():
    contact = enter()
    since = journeys.enrolment(contact.pk).waiting_since
    journeys.track(contact.pk, "order_completed", occurred_at=since.replace(microsecond=0))
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_a_sender_whose_clock_goes_ahead_ends_the_wait_at_once():
    contact = enter(definition(waiting(timeout="PT30M")))
    journeys.track(contact.pk, "order_completed", occurred_at=clock.now() + timedelta(hours=2))
    journeys.run()
    assert way(contact) == ["wait", "yes"], "it was recorded before the deadline, whatever its clock says"


def test_what_happened_after_the_deadline_does_not_count_when_somebody_looks_late():
    contact = enter()
    set_since(contact, timedelta(days=1))
    set_deadline(contact, timedelta(hours=1))
    journeys.track(contact.pk, "order_completed")
    journeys.run()
    assert way(contact) == ["wait", "no"]


def test_the_entry_event_never_ends_a_wait():
    journeys.publish(definition(waiting("signed_up"), entry={
        "trigger": {"type": "event", "event": "signed_up"}, "re_entry": {"policy": "after_exit"},
    }))  # fmt: skip
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up", key="one", occurred_at=clock.now() + timedelta(hours=1))
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"
    journeys.track(contact.pk, "signed_up", key="two")
    journeys.run()
    assert way(contact) == ["wait", "yes"]


@pytest.mark.parametrize(("is_machine", "state"), [(True, "waiting"), (False, "completed")])
def test_only_people_open_mails(is_machine, state):
    contact = enter(definition(waiting("email_opened")))
    journeys.track(contact.pk, "email_opened", properties={"is_machine": is_machine})
    journeys.run()
    assert journeys.enrolment(contact.pk).state == state


def test_an_event_without_consent_is_invisible():
    contact = enter()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        journeys.track(contact.pk, "order_completed")
        cursor.execute("UPDATE contact_events SET processed = false WHERE type = 'order_completed'")
        cursor.execute("SET session_replication_role = origin")
    journeys.run()
    assert journeys.enrolment(contact.pk).state == "waiting"


def test_a_changed_zone_does_not_move_the_deadline():
    contact = enter()
    before = journeys.enrolment(contact.pk).wake_at
    Contact.objects.filter(pk=contact.pk).update(timezone="Pacific/Kiritimati")
    journeys.track(contact.pk, "order_completed", occurred_at=clock.now() - timedelta(minutes=5))  # looks again
    journeys.run()
    assert journeys.enrolment(contact.pk).wake_at == before


def test_calendar_days_are_of_the_contacts_zone(settings):
    journeys.publish(definition(waiting(timeout="P1D")))
    contact = journeys.contact(timezone="Europe/Berlin")
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    arrival = JournalEntry.objects.get(outcome="waiting")
    assert arrival.detail["deadline"] == journeys.enrolment(contact.pk).wake_at.isoformat()
    assert timedelta(hours=23) <= journeys.enrolment(contact.pk).wake_at - arrival.at <= timedelta(hours=25)


def test_the_longest_duration_still_caps():
    contact = enter(definition(waiting(timeout="P30D"), settings={"max_duration": "P1D"}))
    assert journeys.enrolment(contact.pk).wake_at - clock.now() < timedelta(days=1)
    Enrolment.objects.filter(contact_id=contact.pk).update(entered_at=clock.now() - timedelta(days=2))
    journeys.wake_all()
    journeys.run()
    assert (journeys.enrolment(contact.pk).state, journeys.enrolment(contact.pk).exit_reason) == ("exited", "timed_out")


def test_two_waits_in_a_row_need_two_events():
    asked = {"event": "order_completed", "timeout": "P1D"}
    steps = {
        "first": step("wait_for_event", {"happened": "second", "timed_out": None}, **asked),
        "second": step("wait_for_event", WAYS, **asked),
        **ENDS,
    }
    contact = enter(definition(steps))
    journeys.track(contact.pk, "order_completed", key="one")
    journeys.run()
    assert (way(contact), journeys.enrolment(contact.pk).step) == (["first"], "second")
    journeys.track(contact.pk, "order_completed", key="two")
    journeys.run()
    assert way(contact) == ["first", "second", "yes"]


def test_a_paused_journey_finds_what_happened_when_it_is_resumed():
    contact = enter()
    publishing.pause(slug="journey", now=clock.now())
    journeys.track(contact.pk, "order_completed")
    journeys.run()
    assert way(contact) == []
    publishing.resume(slug="journey", now=clock.now())
    journeys.run()
    assert way(contact) == ["wait", "yes"]


def test_under_a_cap_whoever_waits_takes_no_place_and_goes_on_when_one_is_free():
    journeys.publish(definition(waiting(), settings={"concurrency_cap": 1}))
    people = journeys.contacts(3)
    journeys.track(people, "signed_up")
    journeys.run()
    assert set(Enrolment.objects.values_list("state", "held")) == {("waiting", True)}
    journeys.track(people, "order_completed")
    journeys.run()
    assert set(Enrolment.objects.values_list("state", flat=True)) == {"completed"}


def test_who_is_taken_past_the_wait_goes_the_way_of_the_deadline():
    steps = waiting()
    steps["wait"]["skip_if"] = {"has_tag": "vip"}
    journeys.publish(definition(steps))
    contact = journeys.contact()
    transactions.run(lambda now: tags.add_tag(contact_ids=[contact.pk], tag="vip", source="api", now=now))
    journeys.track(contact.pk, "signed_up")
    journeys.run()
    assert way(contact) == ["wait", "no"]


def test_an_erased_journal_does_not_stop_the_wait():
    contact = enter()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE workflow_journal SET detail = '{}' WHERE contact_id = %s", [contact.pk])
        cursor.execute("SET session_replication_role = origin")
    journeys.wake_all()
    journeys.run()
    assert journeys.enrolment(contact.pk).wake_at > clock.now() + timedelta(days=2)


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"event": "a"}, "config.timeout", "bad_config"),
        ({"event": "a", "timeout": "3 days"}, "config.timeout", "bad_value"),
        ({"timeout": "P1D"}, "config.event", "bad_config"),
        ({"event": "a", "timeout": "P1D", "where": {"field": "event.x", "op": "like", "value": 1}}, "config.where.op",
         "unknown_operator"),
        ({"event": "a", "timeout": "P1D", "when": 1}, "config.when", "bad_config"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_settings_is_said_at_its_place(config, field, code):
    problems = validate(definition({"wait": step("wait_for_event", WAYS, **config), **ENDS}))
    assert [(problem.step, problem.field, problem.code) for problem in problems] == [("wait", field, code)]


def test_a_month_is_a_calendar_month():
    contact = enter(definition(waiting(timeout="P1M")))
    assert journeys.enrolment(contact.pk).wake_at - clock.now() > timedelta(days=27)


def test_a_batch_costs_as_many_statements_as_one():
    def statements(count: int) -> int:
        Enrolment.objects.all().delete()
        Contact.objects.all().delete()
        people = journeys.contacts(count)
        journeys.track(people, "signed_up", key=f"n{count}")
        journeys.run()
        journeys.track(people, "order_completed", key=f"o{count}")
        while intake.match_batch(lane="urgent"):
            pass
        with CaptureQueriesContext(connection) as captured:
            journeys.look_again(["urgent"])
            engine.advance_batch(lane="urgent")
        return len(captured)

    journeys.publish(definition(waiting(), exit={"goal": [{"event": "never"}]}))
    statements(1)  # compiles the version
    assert statements(2) == statements(60)
