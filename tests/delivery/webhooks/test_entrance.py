"""Over HTTP: what is stored, what is refused, what comes again, for vendors beside SendGrid."""

from __future__ import annotations

import json
from concurrent.futures import Future
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client

from contacts import clock
from delivery import retention, suppression
from delivery.models import Address, Feedback, Suppression, WebhookDelivery, WebhookToken
from delivery.outgoing import calls
from delivery.outgoing.calls import Answered, Unanswered
from delivery.providers.ses import sns
from delivery.webhooks import feedback
from tests.delivery import making
from tests.delivery.conftest import VECTORS, vectors
from tests.delivery.webhooks import knocking
from tests.delivery.webhooks.knocking import post

pytestmark = pytest.mark.django_db

NOTICE = {"event": "failed", "severity": "permanent", "reason": "bounce", "recipient": "a@b.example"}


@pytest.fixture(autouse=True)
def _secrets(settings):
    for name, value in knocking.SECRETS.items():
        setattr(settings, name, value)


def fold() -> None:
    making.run(feedback.fold_batch)


def standing() -> set[tuple[str, str, str]]:
    rows = Suppression.objects.filter(released_at=None).values_list("address__shown", "scope", "reason")
    return set(rows)


@pytest.mark.parametrize("name", knocking.SIGN)
def test_a_genuine_body_is_stored_as_it_came_and_a_forged_one_is_not(name):
    body, headers = knocking.SIGN[name](b'{"what": "ever"}')
    assert post(name, body, headers) == 200
    assert [bytes(row.body) for row in WebhookDelivery.objects.all()] == [body]
    assert post(name, body, {}) == 403
    assert post(name, body, {header: "x" * len(value) for header, value in headers.items()}) == 403
    assert WebhookDelivery.objects.count() == 1


def test_some_look_whether_anybody_is_here():
    assert Client().head("/webhooks/mandrill/").status_code == 200
    assert Client().get("/webhooks/mandrill/").status_code == 405
    assert Client().head("/webhooks/nobody/").status_code == 404


def test_hits_of_our_own_links_are_posted_by_nobody():
    assert post("links", b'{"kind": "clicked"}', {}) == 403


def test_a_body_of_mailgun_is_taken_once_for_its_token_and_is_harmless_again():
    body, headers = knocking.mailgun(NOTICE, token="one")
    assert [post("mailgun", body, headers) for _ in range(3)] == [200, 200, 200]
    assert WebhookDelivery.objects.count() == 1
    fold()
    assert standing() == {("a@b.example", "all", "hard_bounce")}


def test_a_token_of_mailgun_that_was_seen_carries_no_other_body():
    """Its signature does not cover the body: whoever saw one could send any."""
    at = int(clock.now().timestamp())
    genuine, headers = knocking.mailgun(NOTICE, token="one", at=at)
    forged, _ = knocking.mailgun({**NOTICE, "recipient": "victim@b.example"}, token="one", at=at)
    assert post("mailgun", genuine, headers) == 200
    assert post("mailgun", forged, headers) == 403
    fold()
    assert standing() == {("a@b.example", "all", "hard_bounce")}


def test_a_form_of_mailgun_may_have_another_boundary_the_next_time():
    body, _ = knocking.mailgun(NOTICE, token="one")
    signed = json.loads(body)["signature"] | {"event": "opened", "recipient": "a@b.example"}

    def form(boundary: str) -> bytes:
        field = '--{0}\r\nContent-Disposition: form-data; name="{1}"\r\n\r\n{2}\r\n'
        fields = "".join(field.format(boundary, name, value) for name, value in signed.items())
        return f"{fields}--{boundary}--\r\n".encode()

    assert [post("mailgun", form("one"), {}), post("mailgun", form("two"), {})] == [200, 200]
    assert WebhookDelivery.objects.count() == 1
    fold()
    assert Feedback.objects.get().kind == "opened"


def test_an_old_body_of_mailgun_is_refused_and_its_token_is_kept_longer_than_it_could_be_believed():
    now = int(clock.now().timestamp())
    for hours, status in ((25, 403), (23, 200), (-1, 403)):
        body, headers = knocking.mailgun(NOTICE, token=f"at {hours}", at=now - hours * 3600)
        assert post("mailgun", body, headers) == status
    making.age("used_at", "webhook_tokens", "47 hours")
    making.run(retention.prune_batch)
    assert WebhookToken.objects.count() == 1
    making.age("used_at", "webhook_tokens", "2 hours")
    making.run(retention.prune_batch)
    assert WebhookToken.objects.count() == 0


def test_an_old_body_of_resend_is_refused():
    now = clock.now().timestamp()
    for seconds, status in ((299, 200), (301, 403), (-301, 403)):
        body, headers = knocking.resend(b"{}", at=now - seconds)
        assert post("resend", body, headers) == status
    body, headers = knocking.resend(b"{}")
    assert post("resend", body + b" ", headers) == 403
    assert post("resend", body, {**headers, "svix-timestamp": "nan"}) == 403


def test_a_form_of_mandrill_is_signed_with_our_url(settings):
    body, headers = knocking.mandrill('[{"event": "send", "msg": {"email": "a@b.example"}}]')
    assert post("mandrill", body, headers) == 200
    settings.PUBLIC_URL = "https://elsewhere.example"
    assert post("mandrill", body, headers) == 403


# -- SMS ---------------------------------------------------------------------------------------------------------------


def text_us(words: str, *, sid: str, **fields: str) -> int:
    told = {"MessageSid": sid, "SmsStatus": "received", "From": "+491701", "To": "+4930", "Body": words, **fields}
    body, headers = knocking.twilio(told)
    status = post("twilio", body, headers)
    # the clock of a test's one transaction stands still, and a word comes after the one before it
    last = WebhookDelivery.objects.order_by("-id")[0]
    WebhookDelivery.objects.filter(pk=last.pk).update(received_at=last.received_at + timedelta(seconds=last.pk))
    return status


def test_the_status_of_an_sms_comes_home_by_the_name_in_its_url():
    who = making.contact(phone="+491701")
    message = making.message(who.pk, channel="sms")
    making.deliver()
    query = f"mid={message.public_id}"
    fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": "+491701"}
    body, headers = knocking.twilio(fields, query=query)
    assert post("twilio", body, headers, query=query) == 200
    assert post("twilio", body, headers, query=query.replace("mid", "mud")) == 403
    fold()
    assert Feedback.objects.get(kind="hard_bounce").message_id == message.pk
    assert standing() == {("+491701", "all", "hard_bounce")}
    assert making.events(who.pk)[-1][0] == "sms_bounced"
    assert Address.objects.get(shown="+491701").channel == "sms"


@pytest.mark.parametrize("word", ["STOP", "stop.", " Stop ", "UNSUBSCRIBE", "Quit!", "stop all"])
def test_who_answers_stop_gets_no_more_sms(word):
    assert text_us(word, sid="SM1") == 200
    fold()
    assert standing() == {("+491701", "sms", "unsubscribe")}


@pytest.mark.parametrize("word", ["please stop by", "yes", "stopp", "", "ok", "start now"])
def test_what_else_people_write_is_not_ours_to_read(word):
    text_us("STOP", sid="SM1")
    text_us(word, sid="SM2")
    fold()
    assert standing() == {("+491701", "sms", "unsubscribe")}
    assert Feedback.objects.count() == 1


def test_start_takes_stop_back_and_the_last_word_holds_whatever_comes_first():
    text_us("STOP", sid="SM1")
    fold()
    text_us("anything", sid="SM2", OptOutType="START")
    fold()
    assert standing() == set()
    assert Suppression.objects.get().released_by == "their own word"
    text_us("STOP", sid="SM1")  # a repetition
    fold()
    assert standing() == set()
    text_us("STOP", sid="SM3")
    fold()
    assert standing() == {("+491701", "sms", "unsubscribe")}


def test_an_earlier_word_that_is_heard_of_late_changes_nothing():
    for word, sid in (("STOP", "SM1"), ("START", "SM2")):
        text_us(word, sid=sid)
    early, late = WebhookDelivery.objects.order_by("id")
    assert early.received_at < late.received_at
    WebhookDelivery.objects.filter(pk=early.pk).update(folded_at=clock.now())
    fold()
    WebhookDelivery.objects.filter(pk=early.pk).update(folded_at=None)
    fold()
    assert Feedback.objects.count() == 2
    assert standing() == set()


def test_start_releases_nothing_but_what_stop_did():
    text_us("STOP", sid="SM1")
    fold()
    suppression.suppress(channel="sms", address="+491701", scope="all", reason="manual", source="api", now=clock.now())
    text_us("START", sid="SM2")
    fold()
    assert standing() == {("+491701", "all", "manual")}


def test_start_that_is_heard_of_late_takes_back_nothing_that_was_asked_for_since():
    """The page acknowledged it: a word from before, which lay in the inbox meanwhile, does not undo it."""
    text_us("START", sid="SM1")
    WebhookDelivery.objects.update(received_at=clock.now() - timedelta(minutes=1))
    for number in ("+491701", "+491702"):
        suppression.suppress(
            channel="sms", address=number, scope="sms", reason="unsubscribe", source="page", now=clock.now()
        )
    fold()
    assert ("+491701", "sms", "unsubscribe") in standing()


# -- SES ---------------------------------------------------------------------------------------------------------------

SIGNED = [
    case for case in vectors("esp_webhooks/signature_vectors.json", []) if case["name"] == "ses_real_bounce_nosubject"
]
TOPIC = "arn:aws:sns:us-east-1:123456789012:mail"


@pytest.fixture
def sns_says(settings, monkeypatch):
    """SNS's signatures are taken for good (they have tests of their own); returns what is asked of it."""
    settings.SES_TOPIC_ARNS = f"arn:aws:sns:eu-west-1:123456789012:other, {TOPIC}"
    monkeypatch.setattr(sns, "is_signed", lambda told: True)
    urls: list[str] = []
    answers: list[object] = []

    def start(request: calls.Request) -> Future:
        urls.append(request.url)
        future: Future = Future()
        future.set_result(answers.pop() if answers else Answered(200, {}, b"<ConfirmSubscriptionResponse/>", True))
        return future

    monkeypatch.setattr(calls, "start", start)
    return urls, answers


def envelope(kind: str, **told: str) -> bytes:
    return json.dumps({"Type": kind, "TopicArn": TOPIC, "MessageId": "1", **told}).encode()


def test_a_subscription_is_confirmed_at_an_address_of_our_own_making(sns_says):
    evil = "http://169.254.169.254/latest/meta-data"
    assert post("ses", envelope(sns.SUBSCRIPTION, Token="abc123", SubscribeURL=evil), {}) == 200
    (url,) = sns_says[0]
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "sns.us-east-1.amazonaws.com", "/")
    assert parse_qs(parts.query) == {"Action": ["ConfirmSubscription"], "TopicArn": [TOPIC], "Token": ["abc123"]}
    fold()
    assert not Feedback.objects.exists() and WebhookDelivery.objects.get().error == ""


@pytest.mark.parametrize("answer", [Unanswered("timeout"), Answered(302, {"location": "/"}, b"", True)])
def test_a_subscription_that_could_not_be_confirmed_comes_again(sns_says, answer):
    sns_says[1].append(answer)
    assert post("ses", envelope(sns.SUBSCRIPTION, Token="abc123"), {}) == 503
    assert not WebhookDelivery.objects.exists()
    assert post("ses", envelope(sns.SUBSCRIPTION, Token="abc123"), {}) == 200


def test_a_token_that_is_none_is_asked_of_nobody(sns_says):
    assert post("ses", envelope(sns.SUBSCRIPTION, Token="a&Action=DeleteTopic"), {}) == 503
    assert sns_says[0] == []


def test_a_goodbye_is_kept_and_told_and_not_answered_by_a_new_subscription(sns_says):
    assert post("ses", envelope(sns.GOODBYE, Token="abc123"), {}) == 200
    assert sns_says[0] == []
    fold()
    assert "deleted" in WebhookDelivery.objects.get().error


def test_every_recipient_of_a_bounce_is_told_of(sns_says):
    message = json.dumps(
        {
            "eventType": "Bounce",
            "mail": {"messageId": "m1"},
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "timestamp": "2026-01-02T03:04:05Z",
                "bouncedRecipients": [{"emailAddress": "a@b.example"}, {"emailAddress": "c@b.example"}],
            },
        }
    )
    assert post("ses", envelope(sns.NOTIFICATION, Message=message), {}) == 200
    assert post("ses", envelope(sns.NOTIFICATION, Message=message, Timestamp="2026-01-02T03:09:05Z"), {}) == 200
    fold()
    assert standing() == {("a@b.example", "all", "hard_bounce"), ("c@b.example", "all", "hard_bounce")}
    assert Feedback.objects.count() == 2


@pytest.mark.parametrize("case", SIGNED)
def test_a_recorded_bounce_of_ses_goes_the_whole_way(case, settings, monkeypatch):
    certificate = (VECTORS / "esp_webhooks" / "sns_signing_cert.pem").read_bytes()
    future: Future = Future()
    future.set_result(Answered(200, {}, certificate, True))
    monkeypatch.setattr(calls, "start", lambda request: future)
    sns.forget()
    settings.SES_TOPIC_ARNS = json.loads(case["body_text"])["TopicArn"]
    assert post("ses", case["body_text"].encode(), case["headers"]) == 200
    fold()
    assert ("bounce@simulator.amazonses.com", "all", "hard_bounce") in standing()
    sns.forget()


def test_two_that_come_at_once_with_one_token_are_one(beside, transactional_db):
    body, headers = knocking.mailgun(NOTICE, token="one")
    answers = [beside(post, "mailgun", body, headers) for _ in range(4)]
    assert [answer.result() for answer in answers] == [200] * 4
    assert WebhookDelivery.objects.count() == 1
    connection.close()


UNREADABLE = b"--b\r\nContent-Disposition: form-data; name*=nosuch'en'x; name=\"y\"\r\n\r\n1\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("name", "body", "given", "query"),
    [
        ("sendgrid", b"[]", {"X-Twilio-Email-Event-Webhook-Signature": "é"}, ""),
        ("sendgrid", b"[]", {"X-Twilio-Email-Event-Webhook-Timestamp": "\u20ac"}, ""),
        ("postmark", b"{}", {"Authorization": "Basic é"}, ""),
        ("postmark", b"{}", {"Authorization": "Basic /w=="}, ""),
        ("mailgun", b'{"signature": {"timestamp": "\xc2\xb2", "token": "t", "signature": "s"}}', {}, ""),
        ("mailgun", UNREADABLE, {}, ""),
        ("mandrill", UNREADABLE, {}, ""),
        ("twilio", UNREADABLE, {}, ""),
        ("twilio", b"a=b", {}, "bodySHA256=%C3%A9"),
        ("resend", b"{}", {"svix-id": "é", "svix-timestamp": "nan", "svix-signature": "v1,é"}, ""),
        ("mailersend", b"{}", {"Signature": "é"}, ""),
    ],
)
def test_a_forger_gets_403_whatever_a_signature_is_made_of(name, body, given, query):
    assert post(name, body, given, query=query) == 403


def test_a_signature_of_sns_that_is_no_text_of_base64_is_forged(settings):
    topic = "arn:aws:sns:eu-west-1:123456789012:mail"
    settings.SES_TOPIC_ARNS = topic
    place = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
    told = {"Type": "Notification", "TopicArn": topic, "SigningCertURL": place, "SignatureVersion": "1"}
    assert post("ses", json.dumps({**told, "Signature": "é"}, ensure_ascii=False).encode(), {}) == 403
