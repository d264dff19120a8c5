"""Where vendors knock: who is believed, and what is stored."""

from __future__ import annotations

import base64
import json
import time

import pytest
from django.test import Client
from sendgrid.helpers.eventwebhook import EventWebhookHeader

from delivery.models import Feedback, WebhookDelivery
from delivery.providers.sandbox import key as sandbox_key
from delivery.providers.sendgrid import webhook as sendgrid
from delivery.webhooks import feedback
from tests.delivery import making
from tests.delivery.conftest import vectors

pytestmark = pytest.mark.django_db

MALFORMED = vectors("esp_webhooks/malformed_batches.json", {"cases": []})
SIGNATURES = [case for case in vectors("esp_webhooks/signature_vectors.json", []) if case["esp"] == "sendgrid"]


def post(body: bytes, *, path: str = "/webhooks/sandbox/", signature: str | None = None, timestamp: str = "1700000000"):
    headers = {
        EventWebhookHeader.TIMESTAMP: timestamp,
        EventWebhookHeader.SIGNATURE: sandbox_key.sign(timestamp, body) if signature is None else signature,
    }
    return Client(enforce_csrf_checks=True).post(path, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("case", SIGNATURES, ids=lambda case: case["name"])
def test_sendgrids_signature_is_checked_over_the_raw_bytes(settings, case):
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = case["public_key"]
    body = base64.b64decode(case["body_base64"])
    headers = {name: value for name, value in case["headers"].items() if name != "Content-Type"}
    answer = Client().post("/webhooks/sendgrid/", body, content_type="application/json", headers=headers)
    assert answer.status_code == (200 if case["expect"] == "valid" else 403)
    assert WebhookDelivery.objects.count() == (1 if case["expect"] == "valid" else 0)


def test_without_a_key_nobody_is_believed(settings):
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = ""
    assert post(b"[]", path="/webhooks/sendgrid/").status_code == 403


@pytest.mark.parametrize("case", [each for each in SIGNATURES if each["expect"] == "valid"][:1])
def test_while_a_key_is_replaced_both_are_believed(settings, case):
    settings.SENDGRID_WEBHOOK_PUBLIC_KEY = f"{sandbox_key.public_key()}, {case['public_key']}"
    assert post(b"[]", path="/webhooks/sendgrid/").status_code == 200
    body = base64.b64decode(case["body_base64"])
    headers = {name: value for name, value in case["headers"].items() if name != "Content-Type"}
    assert sendgrid.is_genuine(headers, body, settings.SENDGRID_WEBHOOK_PUBLIC_KEY.split(", "))


@pytest.mark.parametrize(
    ("body", "signature", "timestamp"),
    [
        (b"[]", "", "1"),
        (b"[]", "AAAA", "1"),
        (b"[]", "kein base64!", "1"),
        (b"[]", sandbox_key.sign("2", b"[]"), "1"),
        (b"[1]", sandbox_key.sign("1", b"[]"), "1"),
    ],
    ids=["none", "short", "no base64", "another time", "another body"],
)
def test_what_the_sandbox_did_not_sign_is_refused(body, signature, timestamp):
    assert post(body, signature=signature, timestamp=timestamp).status_code == 403
    assert not WebhookDelivery.objects.exists()


def test_headers_that_are_missing_are_refused():
    assert Client().post("/webhooks/sandbox/", b"[]", content_type="application/json").status_code == 403


def test_an_old_signature_is_good_for_vendors_try_again_for_a_day():
    assert post(b"[]", timestamp="1000000000").status_code == 200


@pytest.mark.parametrize("path", ["/webhooks/sandbox/", "/webhooks/sandbox"])
def test_the_address_has_a_trailing_slash_or_none(path):
    assert post(b"[]", path=path).status_code == 200


def test_only_posts_to_vendors_that_we_know_are_taken(settings):
    assert Client().get("/webhooks/sandbox/").status_code == 405
    assert post(b"[]", path="/webhooks/nobody/").status_code == 404
    settings.EMAIL_PROVIDER = "sendgrid"
    assert post(b"[]").status_code == 404


def test_what_cannot_be_stored_is_a_fault_of_ours_and_comes_again(monkeypatch):
    def fail(**_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(WebhookDelivery.objects, "create", fail)
    client = Client(raise_request_exception=False)
    headers = {EventWebhookHeader.TIMESTAMP: "1", EventWebhookHeader.SIGNATURE: sandbox_key.sign("1", b"[]")}
    assert client.post("/webhooks/sandbox/", b"[]", content_type="application/json", headers=headers).status_code == 500


@pytest.mark.parametrize("case", MALFORMED["cases"], ids=lambda case: case["name"])
def test_a_broken_element_never_takes_the_others_along(case):
    """The good element of each recorded batch is a `delivered` of 2017; it has to arrive."""
    body = case["body_raw"].encode() if "body_raw" in case else json.dumps(case["body"]).encode()
    assert post(body).status_code == 200
    assert making.run(feedback.fold_batch) == 1
    stored = WebhookDelivery.objects.get()
    assert stored.folded_at is not None and bytes(stored.body) == body
    good = Feedback.objects.filter(kind="delivered", occurred_at__year=2017).count()
    has_good = case["name"] not in ("not_json", "empty_array")
    assert good == (1 if has_good else 0)
    unread = case["name"] in ("null_element", "string_element", "empty_object", "no_event_key", "not_json")
    assert bool(stored.error) == unread


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"3", b'"x"', b"\xff\xfe\x00", b"[" * 100_000, b'[{"event":"open","timestamp":NaN}]',
        b'[{"event":"open","timestamp":1e400,"mid":"' + b"9" * 5000 + b'"}]',
        b'[{"event":"click","url":"\\u0000\\ud800","email":"a@b.example","mid":7}]',
        b'[{"event":"' + b"x" * 10_000 + b'"}]',
        b'[{"event":"bounce","email":"\\u0000@x.example","timestamp":-5}]',
        b'[{"event":"open","timestamp":' + b"9" * 6000 + b"}]",
    ],
)  # fmt: skip
def test_no_signed_body_stops_the_fold(body):
    assert post(body).status_code == 200
    fine = json.dumps([{"event": "delivered", "email": "a@b.example", "timestamp": int(time.time())}]).encode()
    assert post(fine).status_code == 200
    making.run(feedback.fold_batch)
    assert not WebhookDelivery.objects.filter(folded_at=None).exists()
    assert Feedback.objects.filter(kind="delivered").count() == 1
