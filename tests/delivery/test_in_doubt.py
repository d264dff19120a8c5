"""Doubts: how they come about, and that every one of them ends."""

from __future__ import annotations

import pytest

from contacts import clock, transactions
from delivery import gate, in_doubt, sending
from delivery.models import Feedback, OutboxEntry, SendLogEntry
from tests.delivery import making

pytestmark = pytest.mark.django_db


def claimed_by_somebody_who_died() -> making.Message:
    message = making.message()
    transactions.run(lambda now: gate.claim("urgent", limit=1, provider="sandbox", now=now))
    return message


def let_pass(interval: str) -> None:
    making.age("lease_until", "outbox", interval)


def test_a_message_whose_worker_died_is_in_doubt_once_nobody_can_be_waiting_for_its_answer(settings, told):
    settings.ESP_TIMEOUT_SECONDS = 10
    message = claimed_by_somebody_who_died()
    let_pass("11 seconds")
    assert in_doubt.reap_batch() is False  # the lease is over, an answer may still come
    let_pass("2 seconds")
    assert in_doubt.reap_batch() is True
    assert making.state(message) == "in_doubt:worker_lost"
    assert [each.kind for each in told] == ["in_doubt"]
    assert in_doubt.reap_batch() is False


def test_what_is_in_doubt_is_never_sent_again_and_keeps_its_place_under_the_cap():
    message = claimed_by_somebody_who_died()
    let_pass("1 hour")
    in_doubt.reap_batch()
    assert sending.deliver_batch("urgent") is False
    other = making.message(message.contact_id)
    making.deliver()
    assert making.states([message, other]) == ["in_doubt:worker_lost", "capped:frequency_cap"]
    assert making.mails(message) == []


def test_a_doubt_ends_undetermined_at_the_deadline(settings, told):
    message = claimed_by_somebody_who_died()
    let_pass("23 hours")
    in_doubt.reap_batch()
    assert in_doubt.settle_batch() is False
    let_pass("2 hours")
    assert in_doubt.settle_batch() is True
    assert making.state(message) == "undetermined:deadline"
    assert not OutboxEntry.objects.exists()
    assert [each.kind for each in told] == ["in_doubt", "undetermined"]
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 1


def test_the_deadline_runs_with_the_time_of_the_installation(settings):
    settings.TIME_SPEED = 86_400.0  # a day in a second
    message = claimed_by_somebody_who_died()
    let_pass("1 minute")
    in_doubt.reap_batch()
    in_doubt.settle_batch()
    assert making.state(message) == "undetermined:deadline"


def test_a_report_that_was_folded_before_the_doubt_began_ends_it_all_the_same():
    """The webhook was quicker than the reaper: while it was folded the message was still `sending`."""
    message = claimed_by_somebody_who_died()
    Feedback.objects.create(
        message_id=message.pk, kind="delivered", occurred_at=clock.now(), recorded_at=clock.now(), provider="sendgrid",
        dedup_hash=b"x" * 32,
    )  # fmt: skip
    let_pass("1 hour")
    in_doubt.reap_batch()
    assert in_doubt.settle_batch() is True
    assert making.state(message) == "accepted:reported"
    assert [name for name, _ in making.events(message.contact_id)] == ["email_sent"]
