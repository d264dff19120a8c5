"""How a message comes to be, once, and how it is withdrawn."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import clock, doorbell
from delivery import gate, outbox, signals
from delivery.models import Message, OutboxEntry
from tests.delivery import making

pytestmark = pytest.mark.django_db


def test_a_request_becomes_a_message_in_the_queue_of_its_lane():
    message = making.message(lane="bulk", priority=8, topic="news", enrolment_id=5, workflow_id=2, step="hello")
    row = OutboxEntry.objects.get(message=message)
    assert (row.state, row.lane, row.priority, row.contact_id, row.attempt) == (
        "queued", "bulk", 8, message.contact_id, 0,
    )  # fmt: skip
    assert (message.topic, message.enrolment_id, message.workflow_id, message.step) == ("news", 5, 2, "hello")
    assert message.context == {"about": {"workflow": "journey", "step": "hello", "template": "welcome"}}


def test_the_same_key_is_one_message_within_a_call_and_across_calls():
    who, version = making.contact().pk, making.template()
    twice = [making.request(who, version, idempotency_key="enrolment:1:1") for _ in range(2)]
    making.enqueue(*twice)
    making.enqueue(*twice)
    assert Message.objects.count() == OutboxEntry.objects.count() == 1


def test_any_number_of_messages_is_two_statements():
    version = making.template()

    def statements(count: int) -> int:
        requests = [making.request(who, version) for who in making.contacts(count)]
        with transaction.atomic(), CaptureQueriesContext(connection) as captured:
            outbox.enqueue(requests, now=clock.now())
        return len([query for query in captured if "messages" in query["sql"] or "outbox" in query["sql"]])

    assert statements(1) == statements(300) == 2


def test_the_bell_of_each_lane_rings_once_after_the_commit(monkeypatch, django_capture_on_commit_callbacks):
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr(doorbell, "ring", lambda task, lane: rung.append((task, lane)))
    version = making.template()
    with django_capture_on_commit_callbacks(execute=True):
        making.enqueue(
            *[making.request(who, version, lane=lane) for who in making.contacts(2) for lane in outbox.LANES]
        )
        assert rung == []
    assert rung == [("delivery.deliver", "delivery_bulk"), ("delivery.deliver", "delivery_urgent")]


def test_the_floors_above_are_told_of_each_new_message_once():
    heard: list[signals.MessageOutcome] = []

    def listen(sender: object, outcomes: tuple[signals.MessageOutcome, ...], **_: object) -> None:
        heard.extend(outcomes)

    signals.messages_enqueued.connect(listen)
    request = making.request(making.contact().pk, making.template(), workflow_id=4, step="hello")
    making.enqueue(request)
    making.enqueue(request)
    signals.messages_enqueued.disconnect(listen)
    assert [(each.kind, each.workflow_id, each.step) for each in heard] == [("queued", 4, "hello")]


def test_only_what_is_still_queued_is_cancelled(told):
    sent, claimed, waiting, other = (making.message(enrolment_id=number) for number in (1, 1, 1, 2))
    OutboxEntry.objects.exclude(message=sent).update(lane="bulk")
    making.deliver("urgent")
    with transaction.atomic():
        gate.claim("bulk", limit=1, provider="sandbox", now=clock.now())
        assert outbox.cancel_queued(enrolment_ids=[1], reason="goal_achieved", now=clock.now()) == 1
    making.deliver("bulk")
    assert making.states([sent, waiting, other]) == ["accepted", "cancelled:goal_achieved", "accepted"]
    assert making.log(claimed) == ["claimed"]  # a request may be on its way: it is not called back
    assert [each.kind for each in told] == ["accepted", "cancelled", "accepted"]
    assert making.mails(waiting) == []
