"""SendGrid's mail/send: the body, and what its answers mean."""

from __future__ import annotations

import jsonschema
import pytest

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
    ],
)
def test_the_body_is_what_sendgrids_schema_asks_for(changes):
    schema = vectors("sendgrid_mail_send.schema.json", {})
    jsonschema.validate(sendgrid.body(letter(**changes)), schema)


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
