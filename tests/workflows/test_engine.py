"""The engine: cohorts advance together, exactly once, and one bad enrolment spoils nobody else's."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Contact, ContactTag
from delivery.models import Message, OutboxEntry
from tests import journeys
from tests.journeys import definition, step
from workflows import engine, publishing
from workflows.models import Enrolment, JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)

TAGS = {"one": step("add_tag", {"next": "two"}, tag="first"), "two": step("add_tag", tag="second")}


def enter(count: int, document: dict) -> list[int]:
    journeys.publish(document)
    ids = journeys.contacts(count)
    journeys.track(ids, "signed_up")
    return ids


def test_a_contact_walks_from_the_first_step_to_the_end():
    (contact_id,) = enter(1, definition(TAGS))
    journeys.run()
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.exit_reason, enrolment.step) == ("completed", "completed", "two")
    assert journeys.path(enrolment.pk) == [("one", "advanced", "next"), ("two", "advanced", "next")]
    assert set(ContactTag.objects.values_list("tag__name", flat=True)) == {"first", "second"}


def test_a_message_is_written_with_the_step_and_says_whose_it_is():
    journeys.template("welcome")
    (contact_id,) = enter(1, definition({"hello": step("send_email", template="welcome")}))
    journeys.run()
    message, enrolment = Message.objects.get(), journeys.enrolment(contact_id)
    assert (message.contact_id, message.enrolment_id, message.step) == (contact_id, enrolment.pk, "hello")
    assert message.idempotency_key == f"enrolment:{enrolment.pk}:1"
    assert message.context["about"] == {"workflow": "journey", "step": "hello", "template": "welcome"}
    assert OutboxEntry.objects.get().state == "queued"


def test_a_wait_stores_its_wake_time_and_goes_on_when_it_has_come():
    (contact_id,) = enter(1, definition({"pause": step("wait", {"next": "after"}, mode="duration", **{"for": "PT1H"}),
                                         "after": step("add_tag", tag="late")}))  # fmt: skip
    journeys.run()
    waiting = journeys.enrolment(contact_id)
    assert (waiting.state, waiting.step, waiting.seq) == ("waiting", "pause", 1)
    assert waiting.wake_at - waiting.waiting_since == timedelta(hours=1)
    journeys.wake_all()
    journeys.run()
    done = journeys.enrolment(contact_id)
    assert done.state == "completed"
    assert journeys.path(done.pk) == [
        ("pause", "waiting", ""), ("pause", "advanced", "next"), ("after", "advanced", "next"),
    ]  # fmt: skip


def test_a_local_wait_uses_the_zone_of_each_contact():
    journeys.publish(definition({"nine": step("wait", mode="local_time", at="09:00")}))
    berlin = journeys.contact("b@example.com", timezone="Europe/Berlin")
    tokyo = journeys.contact("t@example.com", timezone="Asia/Tokyo")
    nowhere = journeys.contact("n@example.com", timezone="Mars/Olympus")
    journeys.track([berlin.pk, tokyo.pk, nowhere.pk], "signed_up")
    journeys.run()
    hours = [journeys.enrolment(one.pk).wake_at.astimezone(UTC).hour for one in (berlin, tokyo, nowhere)]
    assert hours[0] in {7, 8} and hours[1:] == [0, 9]


def test_a_branch_reads_the_contact_at_the_moment_of_arrival():
    arms = [{"key": "gold", "if": {"field": "plan", "op": "eq", "value": "gold"}}]
    enter_with = definition({
        "pause": step("wait", {"next": "split"}, mode="duration", **{"for": "P1D"}),
        "split": step("branch", {"gold": "tag", "else": None}, arms=arms),
        "tag": step("add_tag", tag="gold"),
    })  # fmt: skip
    changing, staying = enter(2, enter_with)
    journeys.run()
    Contact.objects.filter(pk=changing).update(attributes={"plan": "gold"})
    journeys.wake_all()
    journeys.run()
    assert journeys.path(journeys.enrolment(changing).pk)[2:] == [
        ("split", "advanced", "gold"), ("tag", "advanced", "next"),
    ]  # fmt: skip
    assert journeys.path(journeys.enrolment(staying).pk)[2:] == [("split", "advanced", "else")]


def test_a_branch_can_ask_for_the_entry_event():
    arms = [{"key": "big", "if": {"field": "trigger.total", "op": "gt", "value": 50}}]
    journeys.publish(definition({"split": step("branch", {"big": None, "else": None}, arms=arms)}))
    big, small = journeys.contacts(2)
    journeys.track(big, "signed_up", properties={"total": 80})
    journeys.track(small, "signed_up", properties={"total": 20})
    journeys.run()
    ports = {JournalEntry.objects.get(contact_id=one).port for one in (big,)}
    assert ports == {"big"} and JournalEntry.objects.get(contact_id=small).port == "else"


@pytest.mark.parametrize(
    ("config", "state", "reason"), [({}, "completed", "completed"), ({"reason": "not_ours"}, "exited", "not_ours")]
)
def test_an_exit_step_ends_the_enrolment_with_its_reason(config, state, reason):
    (contact_id,) = enter(1, definition({"out": {"type": "exit", "config": config, "next": {}}}))
    journeys.run()
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.exit_reason) == (state, reason)
    assert enrolment.finished_at is not None


def statements_of_a_batch(count: int) -> int:
    arms = [{"key": "yes", "if": {"field": "plan", "op": "exists"}}]
    slug = f"journey-{count}"
    journeys.publish(definition(
        {"mail": step("send_email", {"next": "split"}, template="welcome"),
         "split": step("branch", {"yes": None, "else": "tag"}, arms=arms),
         "tag": step("add_tag", {"next": "pause"}, tag=slug),
         "pause": step("wait", mode="local_time", at="09:00")}, slug=slug,
    ))  # fmt: skip
    ids = [
        row.pk for row in Contact.objects.bulk_create([Contact(email=f"{slug}-{n}@example.com") for n in range(count)])
    ]
    journeys.track(ids, "signed_up")
    journeys.run()
    Enrolment.objects.filter(workflow__slug=slug, contact_id__in=ids).update(state="active", waiting_since=None)
    # a quarter of them at each step, all due: one batch with four distinct (version, step)
    for number, key in enumerate(("mail", "split", "tag", "pause")):
        Enrolment.objects.filter(workflow__slug=slug, contact_id__in=ids[number::4]).update(
            step=key, wake_at=datetime(2020, 1, 1, tzinfo=UTC)
        )
    ContactTag.objects.all().delete()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert engine.advance_batch(lane="urgent", limit=1000)
    return len(queries)


def test_a_batch_costs_the_same_statements_whatever_its_size():
    journeys.template("welcome")
    small, large = statements_of_a_batch(8), statements_of_a_batch(400)
    assert small == large
    assert large <= 40


def test_a_batch_takes_at_most_twenty_distinct_steps():
    for number in range(25):
        journeys.publish(definition({"tag": step("add_tag", tag="t")}, slug=f"journey-{number}"))
    contact = journeys.contact()
    journeys.track(contact.pk, "signed_up")
    from workflows import intake

    while intake.match_batch(lane="urgent"):
        pass
    assert engine.advance_batch(lane="urgent")
    assert Enrolment.objects.filter(state="completed").count() == 20
    assert engine.advance_batch(lane="urgent")
    assert Enrolment.objects.filter(state="completed").count() == 25


def test_workers_side_by_side_move_nobody_twice():
    enter(400, definition(TAGS))
    from workflows import intake

    while intake.match_batch(lane="urgent"):
        pass
    problems: list[Exception] = []

    def work() -> None:
        try:
            while engine.advance_batch(lane="urgent", limit=37):
                pass
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    journeys.run()
    assert problems == []
    assert Enrolment.objects.filter(state="completed", seq=2).count() == 400
    assert JournalEntry.objects.count() == 800


def test_nobody_advances_in_a_paused_workflow_and_everybody_does_after_it_is_resumed(now):
    (contact_id,) = enter(1, definition(TAGS))
    from workflows import intake

    intake.match_batch(lane="urgent")
    publishing.pause(slug="journey", now=now)
    engine.advance_batch(lane="urgent")
    assert journeys.enrolment(contact_id).seq == 0
    publishing.resume(slug="journey", now=now)
    journeys.run()
    assert journeys.enrolment(contact_id).state == "completed"


def test_archiving_lets_everybody_leave_and_cancels_their_queued_messages(now):
    journeys.template("welcome")
    (contact_id,) = enter(1, definition({
        "mail": step("send_email", {"next": "pause"}, template="welcome"),
        "pause": step("wait", mode="duration", **{"for": "P1D"}),
    }))  # fmt: skip
    journeys.run()
    publishing.archive(slug="journey", now=now)
    enrolment = journeys.enrolment(contact_id)
    assert (enrolment.state, enrolment.exit_reason) == ("exited", "workflow_archived")
    assert not OutboxEntry.objects.exists()


def test_an_enrolment_runs_the_version_that_it_entered_with():
    waiting = {
        "pause": step("wait", {"next": "tag"}, mode="duration", **{"for": "P1D"}),
        "tag": step("add_tag", tag="old"),
    }
    (contact_id,) = enter(1, definition(waiting))
    journeys.run()
    journeys.publish(definition({**waiting, "tag": step("add_tag", tag="new")}))
    journeys.wake_all()
    journeys.run()
    assert list(ContactTag.objects.filter(contact_id=contact_id).values_list("tag__name", flat=True)) == ["old"]
