"""Who is believed: every recorded signature of every vendor, and what is done to be believed wrongly."""

from __future__ import annotations

import base64
import json
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest

from delivery.outgoing import calls
from delivery.outgoing.calls import Answered, Unanswered
from delivery.providers import entries
from delivery.providers.ses import sns
from delivery.webhooks import secrets
from tests.delivery.conftest import VECTORS, vectors
from tests.delivery.webhooks import knocking

CASES = vectors("esp_webhooks/signature_vectors.json", [])
NAMES = {"svix": "resend", "ses_sns": "ses"}
NEAR_NAMES = ("mailgun", "svix")
NEAR = {  # when vectors with a time were made; those without are believed at any time
    "mailgun": datetime.fromtimestamp(1403645220, UTC),
    "resend": datetime.fromtimestamp(1614265330, UTC),
}


@pytest.fixture
def asked(monkeypatch):
    """Every URL that is asked, and what each answers: SNS's certificate unless a test says otherwise."""
    certificate = VECTORS / "esp_webhooks" / "sns_signing_cert.pem"
    answers: dict[str, object] = {}
    urls: list[str] = []

    def start(request: calls.Request) -> Future:
        urls.append(request.url)
        found = certificate.read_bytes() if certificate.exists() else b""
        future: Future = Future()
        future.set_result(answers.get("next") or Answered(200, {}, found, True))
        return future

    monkeypatch.setattr(calls, "start", start)
    sns.forget()
    yield urls, answers
    sns.forget()


def is_genuine(case, settings, *, at: datetime | None = None) -> bool:
    name = NAMES.get(case["esp"], case["esp"])
    body = base64.b64decode(case["body_base64"])
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = case.get("public_key", "")
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = case.get("signing_key", "")
    settings.RESEND_WEBHOOK_SECRET = case.get("secret", "")
    settings.TWILIO_AUTH_TOKEN = case.get("auth_token", "")
    settings.SES_TOPIC_ARNS = json.loads(body)["TopicArn"] if name == "ses" else ""
    knock = knocking.knock(body, case["headers"], url=case.get("url", ""), at=at or NEAR.get(name))
    vendor = entries()[name].vendor
    assert vendor is not None
    return vendor.is_genuine(knock)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['esp']}-{case['name']}")
def test_every_recorded_signature_gets_the_right_verdict(case, settings, asked):
    assert is_genuine(case, settings) == (case["expect"] == "valid")


@pytest.mark.parametrize("case", [case for case in CASES if case["expect"] == "valid"], ids=lambda case: case["name"])
def test_nobody_is_believed_without_a_secret_or_with_another_body(case, settings, asked):
    other = {**case, "body_base64": base64.b64encode(base64.b64decode(case["body_base64"]) + b" ").decode()}
    is_covered = case["esp"] not in ("mailgun", "ses_sns")  # the one's signature has no body, the other's is parsed
    assert not is_covered or not is_genuine(other, settings)
    without = {name: value for name, value in case.items() if name not in ("public_key", "signing_key", "secret")}
    if case["esp"] != "ses_sns":
        assert not is_genuine({**without, "auth_token": ""}, settings)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["esp"] in ("mailgun", "svix")], ids=lambda c: c["name"]
)
def test_an_old_signature_is_refused_where_vendors_sign_each_attempt_anew(case, settings):
    assert not is_genuine(case, settings, at=datetime(2026, 3, 4, tzinfo=UTC))


@pytest.mark.parametrize("case", [case for case in CASES if case["name"].startswith("cert_")], ids=lambda c: c["name"])
def test_no_certificate_is_fetched_from_anywhere_else(case, settings, asked):
    assert not is_genuine(case, settings)
    assert asked[0] == []


@pytest.mark.parametrize(
    ("place", "is_one"),
    [
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1B.pem", True),
        ("https://sns.us-east-1.amazonaws.com.cn/SimpleNotificationService-0a1B.pem", True),
        ("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1B.pem", False),
        ("https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-0a1B.pem", False),
        ("https://SNS.us-east-1.amazonaws.com/SimpleNotificationService-0a1B.pem", False),
        ("https://sns.us-east-1.amazonaws.com/../SimpleNotificationService-0a1B.pem", False),
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1B.pem?x", False),
        ("https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1B.pem\n", False),
        ("https://sns.us-east-1.amazonaws.com\n/SimpleNotificationService-0a1B.pem", False),
        ("https://[::1]/SimpleNotificationService-0a1B.pem", False),
        ("https://[/x.pem", False),
    ],
)
def test_a_certificate_is_at_sns_of_the_topics_own_region(place, is_one):
    assert sns.is_certificate_of(place, "us-east-1") is is_one


SES = [case for case in CASES if case["name"] == "ses_real_complaint"]


@pytest.mark.parametrize("case", SES)
def test_a_topic_that_is_not_ours_is_not_believed_though_sns_signed_it(case, settings, asked):
    settings.SES_TOPIC_ARNS = "arn:aws:sns:us-east-1:364852123998:another"
    vendor = entries()["ses"].vendor
    assert not vendor.is_genuine(knocking.knock(base64.b64decode(case["body_base64"]), {}))
    assert asked[0] == []


@pytest.mark.parametrize("case", SES)
def test_a_certificate_is_fetched_once(case, settings, asked):
    assert is_genuine(case, settings) and is_genuine(case, settings)
    assert len(asked[0]) == 1


@pytest.mark.parametrize("case", SES)
@pytest.mark.parametrize(
    "answer", [Unanswered("timeout"), Answered(500, {}, b"", True), Answered(200, {}, b"no certificate", True)]
)
@pytest.mark.django_db
def test_a_certificate_that_cannot_be_had_is_our_trouble_and_sns_comes_again(case, answer, settings, asked):
    settings.SES_TOPIC_ARNS = json.loads(base64.b64decode(case["body_base64"]))["TopicArn"]
    asked[1]["next"] = answer
    body = base64.b64decode(case["body_base64"])
    assert knocking.post("ses", body, {}) == 503
    assert knocking.post("ses", body, {}) == 503
    assert len(asked[0]) == 1, "for a while it is not asked for again"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"TopicArn": []}', b'{"TopicArn": {"a": 1}}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_envelope_is_forged(body, settings):
    settings.SES_TOPIC_ARNS = "arn:aws:sns:us-east-1:364852123998:test-email"
    assert not entries()["ses"].vendor.is_genuine(knocking.knock(body, {}))


@pytest.mark.parametrize(
    ("header", "value", "is_shown"),
    [
        ("Authorization", "Basic " + base64.b64encode(b"carillon:one").decode(), True),
        ("Authorization", "basic " + base64.b64encode(b"carillon:two").decode(), True),
        ("Authorization", "Basic " + base64.b64encode(b"carillon:three").decode(), False),
        ("Authorization", "Basic ***", False),
        ("Authorization", "Basic " + base64.b64encode(b"\xff\xfe").decode(), False),
        ("Authorization", "Bearer carillon:two", True),
        ("X-Webhook-Secret", "carillon:one", True),
        ("X-Webhook-Secret", "", False),
        ("X-Something", "carillon:one", False),
    ],
)
def test_a_secret_is_shown_in_one_of_three_ways_and_two_hold_while_one_is_replaced(header, value, is_shown):
    two = secrets.several("carillon:one, carillon:two")
    assert secrets.is_shown(knocking.knock(b"{}", {header: value}), two) is is_shown
    assert not secrets.is_shown(knocking.knock(b"{}", {header: value}), secrets.several(" , "))
