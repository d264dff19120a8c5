"""From the queue to the provider: what is sent, what comes of every answer, and what is never sent twice."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from contacts import chaos, transactions
from delivery import farewells, gate, in_doubt, outcomes, sending, transport
from delivery.models import Message, OutboxEntry, Provider, SandboxMail, SendLogEntry
from delivery.outcomes import Answered
from delivery.providers.base import REJECTED, Answer
from delivery.public import unsubscribing
from delivery.rates import stopping, throttle
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)  # where the database's clock has to go on


def test_a_queued_message_reaches_the_sandbox_with_its_words_and_its_unsubscribe_link():
    message = making.message()
    making.deliver()
    (mail,) = making.mails(message)
    assert making.state(message) == "accepted"
    assert mail.subject == "Welcome Ada"
    assert "Hello Ada" in mail.html and "Hello Ada" in mail.text
    link = mail.headers["List-Unsubscribe"].strip("<>")
    assert link in mail.html and link in mail.text
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert making.log(message) == ["claimed", "accepted"]
    assert not OutboxEntry.objects.exists()


def test_an_accepted_message_is_told_above_and_recorded_with_its_contact(told):
    message = making.message(workflow_id=7, version_id=making.template(), step="hello")
    making.deliver()
    assert [(each.message_id, each.workflow_id, each.step, each.kind) for each in told] == [
        (message.pk, 7, "hello", "accepted")
    ]
    (sent,) = making.events(message.contact_id)
    assert sent[0] == "email_sent"
    assert sent[1] == {
        "workflow": "journey", "workflow_id": 7, "step": "hello", "template": "welcome",
        "message_id": str(message.public_id),
    }  # fmt: skip


def test_a_transactional_mail_carries_no_unsubscribe_header_and_no_footer():
    message = making.message(message_class="transactional")
    making.deliver()
    (mail,) = making.mails(message)
    assert "List-Unsubscribe" not in mail.headers
    assert "/u/" not in mail.html + mail.text


def test_the_best_message_of_a_lane_goes_first_and_lanes_are_apart():
    low, high, bulk = (
        making.message(priority=1),
        making.message(priority=9),
        making.message(priority=10, lane="bulk"),
    )
    making.deliver()
    assert [mail.mid for mail in SandboxMail.objects.order_by("id")] == [high.public_id, low.public_id]
    assert making.state(bulk) == "queued"
    making.deliver("bulk")
    assert making.state(bulk) == "accepted"


def test_one_request_per_message_goes_to_the_provider_with_our_id(esp):
    messages = [making.message() for _ in range(3)]
    making.deliver()
    assert making.states(messages) == ["accepted"] * 3
    assert {each.mid for each in esp.received} == {str(message.public_id) for message in messages}
    first = esp.received[0]
    assert first.headers["Authorization"] == "Bearer SG.test"
    assert len(first.body["personalizations"]) == 1 and len(first.body["personalizations"][0]["to"]) == 1


@committing
@pytest.mark.parametrize(
    ("status", "state", "requests"),
    [
        (200, "accepted", 1),
        (202, "accepted", 1),
        (400, "rejected:invalid_message", 1),
        (404, "rejected:not_found", 1),
        (413, "rejected:too_large", 1),
        (422, "rejected:invalid_message", 1),
        (418, "rejected:refused", 1),
        (408, "rejected:retries_exhausted", 3),
        (429, "queued:rate_limited", 3),
        (500, "rejected:retries_exhausted", 3),
        (503, "rejected:retries_exhausted", 3),
        (502, "in_doubt:bad_gateway", 1),
        (504, "in_doubt:gateway_timeout", 1),
        (599, "in_doubt:unknown_answer", 1),
        (None, "in_doubt:no_answer", 1),
    ],
)
def test_every_answer_of_the_provider_has_its_meaning(esp, settings, status, state, requests):
    settings.ESP_MAX_ATTEMPTS = 3
    esp.react = lambda nth, body: Reaction(status=status)
    message = making.message()
    deadline = time.monotonic() + 10
    while esp.times(str(message.public_id)) < requests and time.monotonic() < deadline:
        making.deliver()  # a backoff of a millisecond may not be over yet
    if not state.startswith("queued"):
        making.deliver()
        assert esp.times(str(message.public_id)) == requests
    assert making.state(message) == state


@committing
def test_a_refused_message_is_sent_again_after_a_pause_and_its_attempts_are_in_the_log(esp):
    esp.react = lambda nth, body: Reaction(status=429 if nth == 0 else 202)
    message = making.message()
    deadline = time.monotonic() + 10
    while making.state(message) != "accepted" and time.monotonic() < deadline:
        making.deliver()
    assert making.log(message) == ["claimed", "retry", "claimed", "accepted"]
    rows = SendLogEntry.objects.filter(message=message).order_by("id")
    assert [row.attempt for row in rows] == [1, 1, 1, 1]  # too much for the provider: no attempt of this message
    assert [row.cap_delta for row in rows] == [1, -1, 1, 0]


def test_the_provider_says_how_long_to_wait(esp):
    esp.react = lambda nth, body: Reaction(status=429, headers={"Retry-After": "120"})
    message = making.message()
    making.deliver()
    row = OutboxEntry.objects.get(message=message)
    assert (row.due_at - SendLogEntry.objects.filter(message=message).latest("id").at).total_seconds() == 120


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7200", 7200.0),  # more than an hour: the provider knows
        ("9" * 400, 86400.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("", None),
        ("Wed, 04 Mar 2026 12:02:00 GMT", 120.0),
        ("Wed, 04 Mar 2026 11:00:00 GMT", None),  # in the past
        ("Wed, 99 Foo 2026 11:00:00 GMT", None),
    ],
)
def test_whatever_retry_after_says_the_message_has_an_instant(esp, asked, seconds):
    headers = {"Date": "Wed, 04 Mar 2026 12:00:00 GMT"} | ({"Retry-After": asked} if asked else {})
    esp.react = lambda nth, body: Reaction(status=429, headers=headers)
    message = making.message()
    sending.deliver_batch("urgent")
    row = OutboxEntry.objects.get(message=message)
    waits = (row.due_at - SendLogEntry.objects.filter(message=message).latest("id").at).total_seconds()
    assert waits == seconds if seconds else 0 < waits < 0.01


def test_the_pause_of_our_own_is_an_hour_at_most(settings):
    settings.ESP_BACKOFF_MS = 60_000
    pauses = [outcomes.pause(attempt, None) for attempt in range(1, 2000, 7)]
    assert max(pauses) == outcomes.LONGEST_PAUSE and min(pauses) >= timedelta(seconds=30)


def test_a_provider_that_has_too_much_of_a_whole_batch_is_left_alone_for_as_long_as_it_asks(esp, settings):
    """The rest of the queue does not use up its attempts against a closed door."""
    esp.react = lambda nth, body: Reaction(status=429, headers={"Retry-After": "120"})
    version = making.template()
    first = making.enqueue(*[making.request(who, version) for who in making.contacts(3)])
    sending.deliver_batch("urgent")
    later = making.message()
    assert sending.deliver_batch("urgent") is False
    assert set(making.states([*first])) == {"queued:rate_limited"} and making.log(later) == []
    assert 119 < throttle.take("sendgrid", 1, lane="urgent").wait <= 120


def test_a_single_message_too_many_holds_nobody_up(esp):
    too_many = Reaction(429, headers={"Retry-After": "60"})
    esp.react = lambda nth, body: too_many if body["subject"] == "Welcome X" else Reaction()
    version = making.template()
    making.enqueue(*[making.request(who, version) for who in making.contacts(3)])
    odd = making.message(making.contact("x@example.com", attributes={"first_name": "X"}).pk)
    sending.deliver_batch("urgent")
    assert making.state(odd) == "queued:rate_limited"
    assert throttle.take("sendgrid", 1, lane="urgent").count == 1


@committing
def test_an_answer_is_written_down_when_it_comes_and_not_when_the_slowest_has(esp, beside):
    """Whoever unsubscribes waits for their own request to end, and for nobody else's."""
    esp.react = lambda nth, body: Reaction(latency=1.5 if body["subject"] == "Welcome Slow" else 0.0)
    quick = making.message()
    slow = making.message(making.contact("slow@example.com", attributes={"first_name": "Slow"}).pk)
    sender = beside(sending.deliver_batch, "urgent")
    assert esp.arrived.wait(10)
    began = time.monotonic()
    url = f"/u/{unsubscribing.token_of(str(quick.public_id))}"
    assert Client().post(url, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert time.monotonic() - began < 1.0
    assert making.states([quick, slow]) == ["accepted", "sending"]
    assert sender.result(10) is True
    assert making.state(slow) == "accepted"
    assert making.log(quick) == ["claimed", "accepted"] == making.log(slow)


@committing
def test_however_slowly_the_answers_come_there_are_few_transactions(esp, monkeypatch):
    esp.react = lambda nth, body: Reaction(latency=random.Random(str(body)).uniform(0.0, 0.8))
    version = making.template()
    messages = making.enqueue(*[making.request(who, version) for who in making.contacts(60)])
    sizes: list[int] = []
    real = outcomes.record

    def record(provider: str, answered: list[Answered], **more: object) -> None:
        sizes.append(len(answered))
        real(provider, answered, **more)

    monkeypatch.setattr(outcomes, "record", record)
    sending.deliver_batch("urgent")
    assert set(making.states(messages)) == {"accepted"}
    assert sum(sizes) == 60 and 2 <= len(sizes) <= 7


def test_what_the_provider_says_is_kept_in_its_own_words(esp):
    said = json.dumps({"errors": [{"message": "The from address is not verified.", "field": "from"}]})
    esp.react = lambda nth, body: Reaction(status=400, body=said)
    message = making.message()
    making.deliver()
    row = SendLogEntry.objects.filter(message=message).latest("id")
    assert (row.provider, row.provider_code, row.provider_said) == (
        "sendgrid",
        400,
        "The from address is not verified.",
    )


def test_a_lost_answer_is_never_followed_by_a_second_request(esp, told):
    esp.react = lambda nth, body: Reaction(status=None)
    messages = [making.message() for _ in range(20)]
    making.deliver()
    making.deliver()
    assert set(making.states(messages)) == {"in_doubt:no_answer"}
    assert all(esp.times(str(message.public_id)) == 1 for message in messages)
    assert [each.kind for each in told] == ["in_doubt"] * 20


def test_nobody_at_the_providers_address_is_no_doubt_and_is_tried_again(esp, settings):
    settings.SENDGRID_API_URL = "http://127.0.0.1:9"  # discard: nothing listens
    message = making.message()
    sending.deliver_batch("urgent")
    assert making.log(message) == ["claimed", "retry"]
    assert SendLogEntry.objects.filter(message=message).latest("id").reason == "no_connection"


@pytest.mark.parametrize("status", [401, 403, 302])
def test_an_answer_that_is_about_us_stops_the_provider_and_burns_nothing(esp, status):
    esp.react = lambda nth, body: Reaction(status=status, body="no")
    messages = [making.message() for _ in range(3)]
    assert making.deliver() == 1
    assert {making.state(message).split(":")[0] for message in messages} == {"queued"}
    assert set(OutboxEntry.objects.values_list("attempt", flat=True)) == {0}
    assert Provider.objects.get(name="sendgrid").stopped_why.startswith(str(status))
    seen = len(esp.received)
    assert sending.deliver_batch("urgent") is False and len(esp.received) == seen

    esp.react = lambda nth, body: Reaction()
    assert stopping.resume("sendgrid") is True
    making.deliver()
    assert making.states(messages) == ["accepted"] * 3
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 3


def test_a_request_never_starts_after_its_lease_and_goes_back_to_the_queue(esp, settings, monkeypatch):
    settings.SEND_LEASE_SECONDS = 0.2
    monkeypatch.setattr(chaos, "point", lambda name: time.sleep(0.3) if name == "delivery.claimed" else None)
    message = making.message()
    assert sending.deliver_batch("urgent") is True
    assert esp.received == []
    assert making.log(message) == ["claimed", "not_started"]
    row = OutboxEntry.objects.get(message=message)
    assert (row.state, row.attempt) == ("queued", 0)
    assert sum(SendLogEntry.objects.values_list("cap_delta", flat=True)) == 0

    monkeypatch.setattr(chaos, "point", lambda name: None)
    making.deliver()
    assert making.state(message) == "accepted"


def test_the_clock_is_looked_at_once_more_when_the_connection_stands(esp, settings):
    """A connection may take longer than the lease has left: nothing may be written on it then."""
    call = transport.Call(start_before=time.monotonic() + 5)

    async def post():
        call.start_before = 0.0  # the time is over between the first look and the connection
        return await transport._here().session.post(f"{esp.url}/v3/mail/send", data=b"{}", trace_request_ctx=call)

    with pytest.raises(transport.NotStarted):
        transport.start(post()).result()
    assert esp.received == [] and not call.began


def test_the_sandbox_keeps_the_lease_too(settings, monkeypatch):
    settings.SEND_LEASE_SECONDS = 0.2
    monkeypatch.setattr(chaos, "point", lambda name: time.sleep(0.3) if name == "delivery.claimed" else None)
    message = making.message()
    sending.deliver_batch("urgent")
    assert making.mails(message) == [] and making.log(message) == ["claimed", "not_started"]


def test_a_template_that_cannot_be_rendered_is_refused_with_its_words(esp):
    bad = making.template("broken")
    fine = making.message()
    message = making.message(version_id=bad)
    # a version that was saved before the check knew this fault
    making.change("UPDATE template_versions SET html = '{{#open}}' WHERE id = %s", [bad])
    making.deliver()
    assert making.states([fine, message]) == ["accepted", "rejected:render_error"]
    assert "never closed" in SendLogEntry.objects.filter(message=message).latest("id").provider_said
    assert sum(SendLogEntry.objects.filter(message=message).values_list("cap_delta", flat=True)) == 0


def test_a_late_answer_ends_the_doubt_that_was_declared_meanwhile(esp, monkeypatch, told):
    """A worker that was stopped for long enough to be given up comes back with the answer."""

    def pause(name: str) -> None:
        if name == "delivery.answered":
            making.age("lease_until", "outbox", "1 minute")
            assert in_doubt.reap_batch() is True

    monkeypatch.setattr(chaos, "point", pause)
    message = making.message()
    making.deliver()
    assert making.log(message) == ["claimed", "in_doubt", "accepted"]
    assert [each.kind for each in told] == ["in_doubt", "accepted"]
    assert esp.times(str(message.public_id)) == 1


def test_an_answer_counts_for_its_own_attempt_only(esp):
    """Whoever holds an old claim finds nothing to decide."""
    message = making.message()
    batch = transactions.run(lambda now: gate.claim("urgent", limit=1, provider="sendgrid", now=now))
    OutboxEntry.objects.update(attempt=2)
    answered = [Answered(batch.claims[0], Answer(REJECTED))]
    transactions.run(lambda now: outcomes.record("sendgrid", answered, now=now))
    assert making.log(message) == ["claimed"]


def _statements(count: int) -> int:
    version = making.template()
    requests = [making.request(contact_id, version) for contact_id in making.contacts(count)]
    making.enqueue(*requests)
    with CaptureQueriesContext(connection) as captured:
        assert sending.deliver_batch("urgent") is True
    assert Message.objects.count() == SandboxMail.objects.count()
    return len(captured)


def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(monkeypatch):
    monkeypatch.setattr(farewells, "LOOK_EVERY", 3600.0)  # a look is a statement by the time, and not by the size
    few = _statements(10)
    assert _statements(100) == few
    assert few < 40


def test_what_somebody_calls_themselves_leaves_nobody_elses_mail_in_doubt():
    """A broken declaration, in the HTML that the text part is made of."""
    version = making.template(html="<p>{{{first_name}}}</p>")
    people = [
        making.contact(f"p{n}@example.com", attributes={"first_name": name}) for n, name in enumerate(("<![x[", "Ada"))
    ]
    messages = [making.message(person.pk, version_id=version) for person in people]
    making.deliver()
    assert making.states(messages) == ["accepted", "accepted"]


def test_a_letter_that_cannot_be_written_for_a_fault_of_ours_leaves_the_others_alone(monkeypatch):
    messages = [making.message(), making.message()]
    whole = sending.write

    def write(claim, *args, **kwargs):
        if claim.due.message_id == messages[0].pk:
            raise AssertionError("nobody thought of this")
        return whole(claim, *args, **kwargs)

    monkeypatch.setattr(sending, "write", write)
    making.deliver()
    assert making.states(messages) == ["rejected:render_error", "accepted"]
