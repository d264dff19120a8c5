"""Folding reports: the same end for every order and repetition, and what follows for address, contact and doubt."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import clock
from contacts.models import Contact, ContactEvent
from delivery import suppression
from delivery.models import Address, Feedback, OutboxEntry, Suppression, WebhookDelivery
from delivery.webhooks import feedback, parking
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db


def event(message: Any, name: str, *, timestamp: float = 1_700_000_000, **more: Any) -> dict[str, Any]:
    mid = str(message.public_id) if message is not None else str(uuid4())
    return {"event": name, "mid": mid, "email": "ada@example.com", "timestamp": timestamp, **more}


def arrive(*events: Any, provider: str = "sendgrid") -> None:
    WebhookDelivery.objects.create(provider=provider, body=json.dumps(events).encode(), received_at=clock.now())


def fold(*events: Any) -> None:
    arrive(*events)
    assert making.run(feedback.fold_batch) == 1


def standing() -> set[tuple[str, str]]:
    return set(Suppression.objects.filter(released_at=None).values_list("scope", "reason"))


def sent(**changes: Any) -> Any:
    who = making.contact(frequency_cap={"per_day": None, "per_week": None})
    message = making.message(who.pk, **changes)
    making.deliver()
    return message


@pytest.mark.parametrize(
    ("name", "more", "kind", "event_type", "suppressed"),
    [
        ("processed", {}, "processed", None, set()),
        ("delivered", {}, "delivered", "email_delivered", set()),
        ("deferred", {}, "deferred", "email_deferred", set()),
        ("open", {}, "opened", "email_opened", set()),
        ("click", {"url": "https://a.example"}, "clicked", "email_clicked", set()),
        ("bounce", {"type": "bounce"}, "hard_bounce", "email_bounced", {("all", "hard_bounce")}),
        ("bounce", {"type": "blocked"}, "soft_bounce", "email_bounced", set()),
        ("spamreport", {}, "complained", "email_complained", {("all", "complaint")}),
        ("unsubscribe", {}, "unsubscribed", "email_unsubscribed", {("email", "unsubscribe")}),
        ("group_unsubscribe", {}, "unsubscribed", "email_unsubscribed", {("email", "unsubscribe")}),
        ("group_resubscribe", {}, "resubscribed", None, set()),
        ("dropped", {"reason": "Bounced Address"}, "rejected", "email_rejected", {("all", "hard_bounce")}),
        ("dropped", {"reason": "Spam Content"}, "rejected", "email_rejected", set()),
        ("sg_new_thing", {}, "unknown", None, set()),
    ],
)
def test_a_report_becomes_feedback_an_event_and_its_consequence(name, more, kind, event_type, suppressed):
    message = sent()
    fold(event(message, name, **more))
    assert list(Feedback.objects.values_list("message_id", "kind", "provider")) == [(message.pk, kind, "sendgrid")]
    assert [found for found, _ in making.events(message.contact_id)] == [
        "email_sent",
        *([event_type] if event_type else []),
    ]
    assert standing() == suppressed


def test_an_event_says_what_it_is_about_and_when_it_happened():
    message = sent(workflow_id=9, step="hello", enrolment_id=4)
    fold(event(message, "click", url="https://a.example/x", timestamp=1_700_000_000))
    row = ContactEvent.objects.get(type="email_clicked")
    assert row.occurred_at.timestamp() == 1_700_000_000 and row.processed
    assert row.properties == {
        "message_id": str(message.public_id), "workflow": "journey", "workflow_id": 9, "step": "hello",
        "template": "welcome", "enrolment_id": 4, "is_machine": False, "url": "https://a.example/x",
    }  # fmt: skip


def test_a_bounce_says_whether_it_was_for_good():
    message = sent()
    fold(
        event(message, "bounce", type="blocked", reason="full"), event(message, "bounce", type="bounce", reason="gone")
    )
    bounces = {
        properties["bounce"]: properties["reason"]
        for name, properties in making.events(message.contact_id)
        if name == "email_bounced"
    }
    assert bounces == {"soft": "full", "hard": "gone"}


def test_the_same_report_again_changes_nothing_and_is_told_once(told):
    message = sent()
    told.clear()
    again = [event(message, "open", sg_event_id=str(number)) for number in range(3)]
    fold(*again)
    fold(*again)
    assert Feedback.objects.count() == 1
    assert [(each.kind, each.first) for each in told] == [("opened", True)]
    assert len(making.events(message.contact_id)) == 2


def test_only_the_first_of_a_kind_is_the_first_and_machines_are_counted_apart(told):
    message = sent()
    told.clear()
    fold(event(message, "open", timestamp=1_700_000_001, sg_machine_open=True))
    fold(event(message, "open", timestamp=1_700_000_002), event(message, "open", timestamp=1_700_000_003))
    fold(event(message, "open", timestamp=1_700_000_004))
    assert sorted((each.is_machine, each.first) for each in told) == [
        (False, False), (False, False), (False, True), (True, True),
    ]  # fmt: skip


def test_a_report_ends_the_doubt_about_its_message(esp, told):
    esp.react = lambda nth, body: Reaction(status=None)
    message = making.message()
    making.deliver()
    fold(event(message, "processed"))
    assert making.state(message) == "accepted:reported"
    assert not OutboxEntry.objects.exists()
    assert [each.kind for each in told] == ["in_doubt", "accepted", "processed"]
    assert [name for name, _ in making.events(message.contact_id)] == ["email_sent"]


def test_a_report_about_nobodys_message_is_kept_and_its_address_is_still_suppressed(told):
    fold(event(None, "bounce", type="bounce"), {"event": "open", "email": "ada@example.com"})
    assert list(Feedback.objects.values_list("message_id", flat=True)) == [None]
    assert parking.waiting().count == 1
    assert standing() == {("all", "hard_bounce")} and told == []


def test_five_soft_bounces_in_a_month_wear_an_address_out():
    now = clock.now().timestamp()
    messages = [sent_to_ada() for _ in range(6)]
    old = event(messages[5], "bounce", type="blocked", timestamp=now - 31 * 86400)
    fold(old, *[event(each, "bounce", type="blocked", timestamp=now - 60) for each in messages[:4]])
    assert standing() == set()
    fold(event(messages[4], "bounce", type="blocked", timestamp=now - 60))
    assert standing() == {("email", "soft_bounce")}


def sent_to_ada() -> Any:
    who = Contact.objects.filter(email="ada@example.com").first() or making.contact(
        frequency_cap={"per_day": None, "per_week": None}
    )
    message = making.message(who.pk)
    making.deliver()
    return message


def test_an_open_leaves_no_address_behind():
    before = Address.objects.count()
    fold({"event": "open", "email": "somebody@else.example", "timestamp": 1_700_000_000})
    assert Address.objects.count() == before


def test_a_suppression_that_was_released_is_not_brought_back_by_a_repetition():
    message = sent()
    bounce = event(message, "bounce", type="bounce")
    fold(bounce)
    suppression.release(channel="email", address="ada@example.com", by="eve", now=clock.now())
    fold(bounce)
    assert standing() == set()


def test_bodies_are_folded_once_and_in_batches(told):
    message = sent()
    told.clear()
    for number in range(5):
        arrive(event(message, "open", timestamp=1_700_000_000 + number))
    assert feedback.fold_batch(limit=2) is True
    assert WebhookDelivery.objects.filter(folded_at=None).count() == 3
    making.run(lambda: feedback.fold_batch(limit=2))
    assert len(told) == Feedback.objects.count() == 5
    assert feedback.fold_batch() is False


def test_the_fold_costs_the_same_number_of_statements_whatever_its_size():
    def statements(count: int) -> int:
        version = making.template()
        messages = making.enqueue(*[making.request(who, version) for who in making.contacts(count)])
        making.deliver()
        arrive(*[event(message, name) for message in messages for name in ("delivered", "open")])
        with CaptureQueriesContext(connection) as captured:
            assert feedback.fold_batch() is True
        return len(captured)

    assert statements(5) == statements(200)
