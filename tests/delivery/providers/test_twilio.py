"""Twilio: what goes out, what each answer means, and a journey's text message through the whole post office."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import providers
from delivery.models import OutboxEntry, SendLogEntry, Suppression
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP
from delivery.providers.twilio import sending
from delivery.providers.twilio.segments import GSM7, UCS2, segments
from delivery.transport import Reply
from tests.delivery import making
from tests.delivery.providers.conftest import MID, deliver, letter
from tests.delivery.providers.stub import AFTER_BODY, Reaction

TAKEN = Reaction(201, json.dumps({"sid": "SM1", "status": "queued"}))


@pytest.fixture
def twilio(settings, stub):
    settings.SMS_PROVIDER = "twilio"
    settings.TWILIO_API_URL, settings.TWILIO_ACCOUNT_SID = stub.url, "AC123"
    settings.TWILIO_AUTH_TOKEN, settings.TWILIO_FROM = "new, old", "+15005550006"
    settings.ESP_RATE_LIMIT = 100_000
    stub.react = lambda request: TAKEN
    return stub


def text(words: str = "Hi Ada", **changes):
    return letter(to_address="+4915112345678", text=words, html="", subject="", headers={}, channel="sms", **changes)


def said(code: int, status: int = 400) -> Reaction:
    return Reaction(status, json.dumps({"code": code, "message": "in words", "status": status}))


def test_the_request_is_the_form_that_twilio_documents(settings, twilio):
    answer = deliver(sending.Twilio(), text("Grüße €5 🎉"))
    (request,) = twilio.received
    assert (request.method, request.path) == ("POST", "/2010-04-01/Accounts/AC123/Messages.json")
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"AC123:new"
    assert {name: values[0] for name, values in parse_qs(request.body.decode()).items()} == {
        "To": "+4915112345678",
        "From": "+15005550006",
        "Body": "Grüße €5 🎉",
        "StatusCallback": f"{settings.PUBLIC_URL}/webhooks/twilio/?mid={MID}",
    }
    assert (answer.kind, answer.code, answer.said) == (ACCEPTED, 201, "1 segment of UCS-2")


def test_a_messaging_service_takes_the_place_of_a_number(settings, twilio):
    settings.TWILIO_FROM = "MG0123"
    deliver(sending.Twilio(), text())
    fields = parse_qs(twilio.received[0].body.decode())
    assert fields["MessagingServiceSid"] == ["MG0123"] and "From" not in fields


@pytest.mark.parametrize(
    ("code", "status", "kind", "reason"),
    [
        (20003, 401, STOP, "unauthorized"),
        (20003, 400, STOP, "unauthorized"),
        (20429, 429, RETRY, "rate_limited"),
        (21211, 400, REJECTED, "invalid_address"),
        (21606, 400, STOP, "invalid_sender"),
        (21610, 400, REJECTED, "unsubscribe"),
        (21611, 429, RETRY, "queue_full"),
        (21614, 400, REJECTED, "invalid_address"),
        (99999, 400, REJECTED, "invalid_message"),
        (99999, 404, STOP, "not_found"),
        (99999, 429, RETRY, "rate_limited"),
        (99999, 500, IN_DOUBT, "provider_error"),
        (21211, 500, IN_DOUBT, "provider_error"),
        (99999, 503, RETRY, "unavailable"),
    ],
)
def test_each_answer_has_its_meaning(twilio, code, status, kind, reason):
    twilio.react = lambda request: said(code, status)
    answer = deliver(sending.Twilio(), text())
    assert (answer.kind, answer.reason, answer.code) == (kind, reason, status)
    assert answer.said == f"{code}: in words"
    assert answer.consequence == (("sms", "unsubscribe") if code == 21610 else None)


def test_a_lost_answer_is_a_doubt_and_a_late_letter_is_not_sent(twilio):
    assert deliver(sending.Twilio(), text(), seconds=-1).kind == NOT_STARTED
    assert twilio.received == []
    twilio.react = lambda request: Reaction(breaks=AFTER_BODY)
    assert deliver(sending.Twilio(), text()).kind == IN_DOUBT


@pytest.mark.parametrize(("words", "why"), [("", "NoText"), (" \n", "NoText"), ("x" * 1601, "TooLong")])
def test_what_twilio_would_never_take_is_not_sent(twilio, words, why):
    answer = deliver(sending.Twilio(), text(words))
    assert (answer.kind, answer.said, twilio.received) == (REJECTED, why, [])


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_answer_is_an_error(status, body):
    assert sending.meaning(Reply(status, {}, body)).kind in {ACCEPTED, REJECTED, RETRY, IN_DOUBT, STOP}


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"code": {}}', b'{"code": true}', b"[" * 100_000])
def test_an_answer_of_another_shape_is_read_by_its_status(body):
    assert sending.meaning(Reply(400, {}, body)).reason == "invalid_message"


@pytest.mark.parametrize(
    ("words", "encoding", "units", "count"),
    [
        ("", GSM7, 0, 1),
        ("x" * 160, GSM7, 160, 1),
        ("x" * 161, GSM7, 161, 2),
        ("x" * 306, GSM7, 306, 2),
        ("x" * 307, GSM7, 307, 3),
        ("€" * 80, GSM7, 160, 1),
        ("x" * 152 + "€" * 5, GSM7, 162, 2),
        ("x" * 152 + "€" + "x" * 152, GSM7, 306, 3),  # the sign goes whole into the second
        ("ç", UCS2, 1, 1),
        ("я" * 70, UCS2, 70, 1),
        ("я" * 71, UCS2, 71, 2),
        ("🎉" * 35, UCS2, 70, 1),
        ("🎉" * 36, UCS2, 72, 2),
        ("я" * 134, UCS2, 134, 2),
        ("я" * 135, UCS2, 135, 3),
        ("äöüÄÖÜßéàñ", GSM7, 10, 1),
    ],
)
def test_segments_are_counted_as_networks_count_them(words, encoding, units, count):
    found = segments(words)
    assert (found.encoding, found.units, found.count) == (encoding, units, count)


@pytest.mark.django_db(transaction=True)
def test_a_text_message_goes_out_once_and_a_stop_at_twilio_becomes_ours(twilio):
    contact = making.contact("ada@example.com", phone="+4915112345678", attributes={"first_name": "Ada"})
    version = making.template("text", channel="sms", subject="", html="", text="Hi {{first_name}}")
    first = making.message(contact.pk, channel="sms", version_id=version)
    making.deliver()
    assert making.state(first) == "accepted"
    assert parse_qs(twilio.received[0].body.decode())["Body"] == ["Hi Ada"]
    assert SendLogEntry.objects.get(message=first, kind="accepted").provider_said == "1 segment of GSM-7"
    twilio.react = lambda request: said(21610)
    second = making.message(contact.pk, channel="sms", version_id=version)
    making.deliver()
    assert making.state(second) == "rejected:unsubscribe"
    suppression = Suppression.objects.get()
    assert (suppression.scope, suppression.reason, suppression.source, suppression.message_id) == (
        "sms", "unsubscribe", "provider:twilio", second.pk,
    )  # fmt: skip
    assert suppression.address.channel == "sms"
    third, mail = making.message(contact.pk, channel="sms", version_id=version), making.message(contact.pk)
    making.deliver()
    assert making.states([third, mail]) == ["suppressed:unsubscribe", "accepted"]
    assert len(twilio.received) == 2


@pytest.mark.django_db(transaction=True)
def test_a_refused_key_stops_text_messages_and_burns_no_attempt(twilio):
    twilio.react = lambda request: said(20003, 401)
    contact = making.contact("ada@example.com", phone="+4915112345678")
    message = making.message(
        contact.pk, channel="sms", version_id=making.template("text", channel="sms", html="", subject="", text="Hi")
    )
    making.deliver()
    assert making.log(message) == ["claimed", "not_started"]
    assert OutboxEntry.objects.get().attempt == 0
    assert len(twilio.received) == 1


def test_twilio_sends_and_reports_for_text_messages_only():
    entry = providers.entries()["twilio"]
    assert entry.make and entry.vendor and entry.channels == {"sms"}
    assert entry.needed == ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM")
