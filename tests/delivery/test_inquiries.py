"""Doubts that end before their deadline: handed over again where the provider knows the key, asked for where it can be
asked; and never anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from contacts import chaos, clock, consent, freezing, transactions
from contacts.consent import Consent
from contacts.models import Contact
from delivery import in_doubt, inquiries, ledger, sending, suppression
from delivery.models import OutboxEntry, Provider, SendLogEntry
from tests.delivery import making
from tests.delivery.providers.stub import AFTER_BODY, Reaction, Received, Stub

pytestmark = pytest.mark.django_db
TAKEN = Reaction(200, '{"id": "1"}')
LOST = Reaction(breaks=AFTER_BODY)


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    yield server
    server.stop()


@pytest.fixture
def resend(stub, settings) -> Stub:
    """Knows a second request with the same key for a day."""
    settings.EMAIL_PROVIDER, settings.RESEND_API_KEY, settings.RESEND_API_URL = "resend", "key", f"{stub.url}/"
    settings.ESP_RATE_LIMIT = 100_000
    return stub


@pytest.fixture
def postmark(stub, settings) -> Stub:
    """Can be asked."""
    settings.EMAIL_PROVIDER, settings.POSTMARK_SERVER_TOKEN = "postmark", "token"
    settings.POSTMARK_API_URL = f"{stub.url}/"
    settings.ESP_RATE_LIMIT = 100_000
    return stub


def doubtful(stub: Stub, minutes: float = 1, **about: Any) -> making.Message:
    """A message whose answer was lost so long ago."""
    stub.react = lambda request: LOST
    message = making.message(**about)
    making.deliver()
    assert making.state(message) == "in_doubt:no_answer"
    pass_by(minutes)
    return message


def pass_by(minutes: float) -> None:
    for column, table in (("lease_until", "outbox"), ("due_at", "outbox"), ("at", "contact_send_log")):
        making.age(column, table, f"{minutes} minutes")


def sends(stub: Stub, message: making.Message) -> list[Received]:
    mid = str(message.public_id)
    return [each for each in stub.received if each.method == "POST" and mid in each.body.decode()]


def reasons(message: making.Message) -> list[tuple[str, str]]:
    return list(SendLogEntry.objects.filter(message=message).order_by("id").values_list("kind", "reason"))


def test_a_doubtful_message_is_handed_over_again_with_the_same_key_and_the_same_words(resend, told):
    message = doubtful(resend)
    resend.react = lambda request: TAKEN
    assert inquiries.inquire_batch() is True
    first, second = sends(resend, message)
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == str(message.public_id)
    assert first.body == second.body
    assert making.state(message) == "accepted:repeated"
    assert reasons(message)[2:] == [("claimed", inquiries.REPEAT), ("accepted", "repeated")]
    assert [each.kind for each in told] == ["in_doubt", "accepted"]
    assert [name for name, _ in making.events(message.contact_id)] == ["email_sent"]
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 1
    assert not OutboxEntry.objects.exists()


@pytest.mark.parametrize(
    "reaction",
    [LOST, Reaction(400, "{}"), Reaction(409, "{}"), Reaction(429, "{}"), Reaction(500, "{}"), Reaction(503, "{}")],
)
def test_whatever_else_is_answered_proves_nothing_and_the_doubt_stays(resend, reaction, told):
    message = doubtful(resend)
    resend.react = lambda request: reaction
    inquiries.inquire_batch()
    assert making.state(message).split(":")[0] == "in_doubt"
    assert reasons(message)[-1][0] == "deferred" and reasons(message)[-1][1].startswith("repeat_")
    assert [each.kind for each in told] == ["in_doubt"]  # it is the same doubt
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 1
    assert making.deliver() == 0  # and it is in no queue


def test_a_provider_that_refuses_us_is_stopped_and_asked_no_more(resend):
    message = doubtful(resend)
    resend.react = lambda request: Reaction(401, "{}")
    inquiries.inquire_batch()
    assert Provider.objects.get(name="resend").stopped_at is not None
    pass_by(60)
    assert inquiries.inquire_batch() is False
    assert making.state(message).startswith("in_doubt") and len(sends(resend, message)) == 2


def test_the_first_look_waits_for_a_webhook_and_each_later_one_twice_as_long(resend):
    message = doubtful(resend, minutes=0)
    assert inquiries.inquire_batch() is False  # the answer was lost just now
    pass_by(1)
    for _ in range(2):
        inquiries.inquire_batch()
    assert len(sends(resend, message)) == 2
    pass_by(0.5)
    assert inquiries.inquire_batch() is False
    pass_by(1)
    assert inquiries.inquire_batch() is True
    assert len(sends(resend, message)) == 3


def test_looks_become_rare_though_each_repetition_has_a_lease_of_its_own(resend):
    message = doubtful(resend, minutes=8)
    counts = []
    for _ in range(5):
        inquiries.inquire_batch()
        counts.append(len(sends(resend, message)) - 1)
        pass_by(9)
    assert counts == [1, 2, 2, 3, 3]  # after 8 minutes, 17 and 35; each time as long again


def test_once_the_provider_has_forgotten_the_key_nothing_is_handed_over(resend):
    message = doubtful(resend, minutes=24 * 60 - 0.5)
    resend.react = lambda request: TAKEN
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 1
    assert making.state(message) == "in_doubt:no_answer"


def test_the_age_of_a_key_is_counted_from_the_first_request_and_not_from_a_repetition(resend):
    message = doubtful(resend, minutes=12 * 60)
    inquiries.inquire_batch()
    pass_by(12 * 60)
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 2


def unsubscribed(message: making.Message) -> None:
    suppression.suppress(
        channel="email", address=Contact.objects.get(pk=message.contact_id).email, scope="email",
        reason="unsubscribe", source="test", now=clock.now(),
    )  # fmt: skip


def withdrew(message: making.Message) -> None:
    transactions.run(
        lambda now: consent.record([Consent(message.contact_id, "marketing", "denied")], source="test", now=now)
    )


def moved_on(message: making.Message) -> None:
    Contact.objects.filter(pk=message.contact_id).update(email="elsewhere@example.com")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("happened", [unsubscribed, withdrew, moved_on])
def test_the_gate_is_asked_again_and_who_may_not_be_written_to_is_not(resend, happened: Callable[..., None]):
    message = doubtful(resend)
    happened(message)
    resend.react = lambda request: TAKEN
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 1
    assert making.state(message) == "in_doubt:no_answer"  # it may have gone out before: that is what it was


def test_nobody_else_is_ever_given_a_message_twice(esp, settings):
    """SendGrid knows no key and cannot be asked."""
    from tests.delivery.esp import Reaction as Answer

    esp.react = lambda nth, body: Answer(status=None)
    message = making.message()
    making.deliver()
    for _ in range(5):
        pass_by(30)
        assert inquiries.inquire_batch() is False
    assert esp.times(str(message.public_id)) == 1


def test_what_a_provider_is_no_longer_configured_for_is_not_asked_of_another(esp, resend, settings):
    message = doubtful(resend)
    settings.EMAIL_PROVIDER = "sendgrid"
    assert inquiries.inquire_batch() is False
    settings.EMAIL_FALLBACK_PROVIDER = "resend"
    resend.react = lambda request: TAKEN
    assert inquiries.inquire_batch() is True
    assert making.state(message) == "accepted:repeated"


def test_a_worker_that_dies_over_a_repetition_leaves_the_same_doubt(resend, monkeypatch, told):
    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        if name == "delivery.repeat_claimed":
            raise Killed

    message = doubtful(resend)
    monkeypatch.setattr(chaos, "point", kill)
    with pytest.raises(Killed):
        inquiries.inquire_batch()
    monkeypatch.undo()
    assert making.state(message) == "sending:repeat"
    pass_by(1)
    assert in_doubt.reap_batch() is True
    assert making.state(message) == "in_doubt:worker_lost"
    assert [each.kind for each in told] == ["in_doubt"]
    resend.react = lambda request: TAKEN
    pass_by(5)
    inquiries.inquire_batch()
    assert making.state(message) == "accepted:repeated"


def test_no_repetition_starts_after_its_lease(resend, settings, monkeypatch):
    message = doubtful(resend)
    settings.SEND_LEASE_SECONDS = 0.2
    import time

    monkeypatch.setattr(chaos, "point", lambda name: time.sleep(0.3) if name == "delivery.repeat_claimed" else None)
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 1
    assert making.state(message).startswith("in_doubt")


def found(request: Received) -> Reaction:
    asked = request.query["metadata_mid"]
    messages = [{"MessageID": "1", "Status": "Sent", "Metadata": {"mid": asked}}]
    has = request.query["messagestream"] == "broadcast"
    return Reaction(200, json.dumps({"TotalCount": 1, "Messages": messages if has else []}))


def test_a_provider_that_can_be_asked_is_asked_and_what_it_has_is_accepted(postmark, told):
    message = doubtful(postmark)
    postmark.react = found
    assert inquiries.inquire_batch() is True
    question = postmark.received[-1]
    assert (question.method, question.path) == ("GET", "/messages/outbound")
    assert question.headers["X-Postmark-Server-Token"] == "token"
    assert making.state(message) == "accepted:looked_up"
    assert [each.kind for each in told] == ["in_doubt", "accepted"]
    assert [name for name, _ in making.events(message.contact_id)] == ["email_sent"]
    assert len(sends(postmark, message)) == 1


@pytest.mark.parametrize(
    "reaction",
    [
        Reaction(200, '{"TotalCount": 0, "Messages": []}'),
        Reaction(200, '{"TotalCount": 1, "Messages": [{"Metadata": {"mid": "another"}}]}'),
        Reaction(200, '{"TotalCount": 1, "Messages": [{"Metadata": null}, 7]}'),
        Reaction(200, "[]"),
        Reaction(200, "<html>"),
        Reaction(500),
        LOST,
    ],
)
def test_not_found_is_no_proof(postmark, reaction):
    message = doubtful(postmark)
    postmark.react = lambda request: reaction
    inquiries.inquire_batch()
    assert making.state(message) == "in_doubt:no_answer"
    assert len(sends(postmark, message)) == 1


def test_mailgun_is_asked_by_the_message_id_that_it_was_given(stub, settings):
    settings.EMAIL_PROVIDER, settings.MAILGUN_API_KEY, settings.MAILGUN_API_URL = "mailgun", "key", f"{stub.url}/v3"
    settings.EMAIL_FROM = "hello@shop.example"
    message = doubtful(stub)
    mid = str(message.public_id)
    sent = stub.received[-1].body.decode()
    assert f"h%3AMessage-Id=%3C{mid}%40shop.example%3E" in sent
    items = {f"{mid}@shop.example": [{"event": "accepted", "user-variables": {"mid": mid}}]}
    stub.react = lambda request: Reaction(200, json.dumps({"items": items.get(request.query["message-id"], [])}))
    inquiries.inquire_batch()
    question = stub.received[-1]
    assert (question.method, question.path) == ("GET", "/v3/shop.example/events")
    assert question.query["message-id"] == f"{mid}@shop.example"
    assert making.state(message) == "accepted:looked_up"


def test_the_deadline_ends_what_nothing_else_did(resend):
    message = doubtful(resend, minutes=25 * 60)
    inquiries.inquire_batch()
    assert in_doubt.settle_batch() is True
    assert making.state(message) == "undetermined:deadline"


def test_a_repetition_puts_off_no_deadline(resend, settings):
    settings.IN_DOUBT_DEADLINE = "PT24H"
    message = doubtful(resend, minutes=12 * 60)
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 2
    pass_by(12 * 60 + 1)
    in_doubt.settle_batch()
    assert making.state(message) == "undetermined:deadline"


def test_how_each_doubt_ended_can_be_counted(resend):
    messages = [doubtful(resend) for _ in range(3)]
    resend.react = lambda request: TAKEN if str(messages[0].public_id) in request.body.decode() else LOST
    inquiries.inquire_batch()
    in_doubt.resolve([messages[1].pk], now=clock.now())
    pass_by(25 * 60)
    in_doubt.settle_batch()
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT reason, count(*) FROM contact_send_log
                WHERE kind IN ('accepted', 'undetermined') GROUP BY 1 ORDER BY 1"""
        )
        assert cursor.fetchall() == [("deadline", 1), ("repeated", 1), ("reported", 1)]


def test_a_look_costs_the_same_number_of_statements_whatever_its_size(resend):
    def looks(count: int) -> int:
        from django.test.utils import CaptureQueriesContext

        resend.react = lambda request: LOST
        version = making.template()
        making.enqueue(*(making.request(each, version) for each in making.contacts(count)))
        making.deliver()
        pass_by(1)
        resend.react = lambda request: TAKEN
        with CaptureQueriesContext(connection) as captured:
            assert inquiries.inquire_batch() is True
        return len(captured)

    few = looks(2)
    assert abs(looks(20) - few) <= 2  # an answer that is told early is written down by itself


def test_sending_is_not_touched_by_it(resend):
    resend.react = lambda request: TAKEN
    message = making.message()
    assert sending.deliver_batch("urgent") is True
    assert making.state(message) == "accepted"
    assert inquiries.inquire_batch() is False


@pytest.mark.parametrize("workflow_id", [None, 7])
def test_nothing_is_handed_over_again_once_it_is_frozen_however_late_that_is(resend, monkeypatch, workflow_id):
    message = doubtful(resend, workflow_id=7)
    resend.react = lambda request: TAKEN
    lock = ledger.lock_open

    def freeze_first(message_ids):
        freezing.freeze(reason="the wrong template", workflow_id=workflow_id, now=clock.now())
        return lock(message_ids)

    monkeypatch.setattr(ledger, "lock_open", freeze_first)
    inquiries.inquire_batch()
    assert len(sends(resend, message)) == 1 and making.state(message) == "in_doubt:no_answer"
