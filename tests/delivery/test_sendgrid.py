"""SendGrid's mail/send: the body, and what its answers mean."""

from __future__ import annotations

import time

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers import base
from delivery.providers.base import Letter
from delivery.providers.sendgrid import sending as sendgrid
from delivery.transport import Reply
from tests.delivery.conftest import vectors

LETTER = Letter(
    mid="6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11",
    to_address="ada@example.com",
    from_address="hello@carillon.example",
    from_name="Carillon",
    subject="Welcome",
    html="<p>Hi</p>",
    text="Hi",
    headers={"List-Unsubscribe": "<https://mail.example/u/x>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
)


def letter(**changes: object) -> Letter:
    return Letter(**(vars(LETTER) | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"html": ""},
        {"text": "", "html": ""},
        {"subject": ""},
        {"from_name": ""},
        {"from_name": "Grüße; Söhne, GmbH"},
        {"headers": {}},
        {"subject": "日本語 😀"},
        {"may_be_tracked": False},
    ],
)
def test_the_body_is_what_sendgrids_schema_asks_for(changes):
    schema = vectors("sendgrid_mail_send.schema.json", {})
    jsonschema.validate(sendgrid.body(letter(**changes)), schema)


def test_who_may_not_be_tracked_is_not():
    off = {"click_tracking": {"enable": False, "enable_text": False}, "open_tracking": {"enable": False}}
    assert sendgrid.body(letter(may_be_tracked=False))["tracking_settings"] == off
    assert "tracking_settings" not in sendgrid.body(LETTER)


def test_our_id_goes_into_the_personalization_and_nothing_personal_beside_it():
    body = sendgrid.body(LETTER)
    (person,) = body["personalizations"]
    assert person == {
        "to": [{"email": "ada@example.com"}],
        "custom_args": {"mid": LETTER.mid},
        "headers": dict(LETTER.headers),
    }
    assert "custom_args" not in body and "categories" not in body


def test_a_name_holds_nothing_that_sendgrid_refuses():
    sender = sendgrid.body(letter(from_name="Smith, Jones; Co"))["from"]
    assert not {",", ";"} & set(sender["name"])


SAID_AT = "Wed, 04 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Wed, 04 Mar 2026 12:01:30 GMT", "Date": SAID_AT}, 90),
        ({"Retry-After": "Wed, 04 Mar 2026 11:59:00 GMT", "Date": SAID_AT}, 0),
        ({"X-RateLimit-Reset": "1772625630", "Date": SAID_AT}, 30),
        ({"X-RateLimit-Reset": "1772625630"}, None),
        ({"Retry-After": "soon", "Date": SAID_AT}, None),
        ({"X-RateLimit-Reset": "later", "Date": SAID_AT}, None),
        ({"X-RateLimit-Reset": "nan", "Date": "never"}, None),
    ],
)
def test_when_to_come_back_is_read_in_every_form(headers, seconds):
    assert sendgrid.meaning(Reply(429, headers, b"")).retry_after == seconds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"errors":[{"message":"one"},{"message":"two"}]}', "one; two"),
        (b"<html>Bad</html>", "<html>Bad</html>"),
        (b'{"errors":"x"}', '{"errors":"x"}'),
        (b"[1]", "[1]"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_whatever_it_says_is_words(body, said):
    assert sendgrid.meaning(Reply(400, {}, body)).said == said


@pytest.mark.django_db
def test_a_mail_that_the_package_refuses_to_build_is_refused_alone(esp):
    from tests.delivery import making

    key_in_it = "SG." + "a" * 22 + "." + "b" * 43
    bad = making.message(version_id=making.template("leak", html=f"<p>{key_in_it}</p>"))
    fine = making.message()
    making.deliver()
    assert making.states([bad, fine]) == ["rejected:invalid_message", "accepted"]


@pytest.mark.parametrize(("message_class", "pool"), [("marketing", "news"), ("transactional", "bills")])
def test_each_class_of_message_leaves_from_its_own_addresses(settings, message_class, pool):
    assert "ip_pool_name" not in sendgrid.body(letter(message_class=message_class))
    settings.SENDGRID_IP_POOL_MARKETING, settings.SENDGRID_IP_POOL_TRANSACTIONAL = "news", "bills"
    body = sendgrid.body(letter(message_class=message_class))
    assert body["ip_pool_name"] == pool and "categories" not in body
    jsonschema.validate(body, vectors("sendgrid_mail_send.schema.json", {}))


@given(status=st.integers(100, 599), body=st.binary(max_size=60))
def test_once_a_request_began_only_a_status_that_says_so_means_that_it_was_not_taken(status, body):
    kind = sendgrid.meaning(Reply(status, {}, body)).kind
    assert kind != base.NOT_STARTED
    if kind in (base.RETRY, base.STOP):
        assert status in {301, 302, 307, 308, 401, 402, 403, 408, 429, 500, 503}
    if kind == base.ACCEPTED:
        assert 200 <= status < 300


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"X-Note": "one\r\nBcc: eve@example.net"}},
        {"headers": {"X-Note\r\nBcc": "eve@example.net"}},
        {"to_address": "ada@example.com\r\n"},
    ],
)
def test_a_header_or_an_address_that_would_be_two_is_refused(esp, changes):
    answers = sendgrid.SendGrid().deliver([letter(**changes)], start_before=time.monotonic() + 5)
    assert answers[LETTER.mid].kind == base.REJECTED
    assert esp.received == []


@pytest.mark.django_db
def test_names_subjects_and_domains_are_made_harmless_on_the_way(esp):
    poisoned = letter(from_name="Eve\r\nBcc: x; y", subject="Two\r\nlines\x00", to_address="ada@bücher.example")
    answers = sendgrid.SendGrid().deliver([poisoned], start_before=time.monotonic() + 5)
    assert answers[LETTER.mid].kind == base.ACCEPTED
    (sent,) = esp.received
    assert sent.to == "ada@xn--bcher-kva.example"
    assert not set("\r\n\x00;,") & set(sent.body["from"]["name"] + sent.body["subject"])
