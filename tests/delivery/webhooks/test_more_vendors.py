"""Mailtrap, Unisender Go and Postal: who is believed, and what their words are in ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from delivery.models import WebhookDelivery
from delivery.providers import entries
from delivery.webhooks.base import Report
from tests.delivery.webhooks.knocking import post

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
MID = "6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11"
ADDRESS = "ada@example.com"
AT = 1_700_000_000


def read(name: str, told: Any) -> list[Report]:
    vendor = entries()[name].vendor
    assert vendor is not None
    reading = vendor.read(json.dumps(told).encode(), NOW)
    assert not reading.unread, reading.unread
    return list(reading.reports)


def mailtrap(event: str, **more: Any) -> dict[str, Any]:
    known = {"event": event, "message_id": "m", "email": ADDRESS, "timestamp": AT, "event_id": "e"}
    return {"events": [{**known, "custom_variables": {"mid": MID}, **more}]}


def unisender(status: str, why: str = "") -> dict[str, Any]:
    told = {
        "event_name": "transactional_email_status",
        "event_data": {
            "status": status,
            "email": ADDRESS,
            "event_time": "2023-11-14 22:13:20",
            "job_id": "j",
            "metadata": {"mid": MID},
            "delivery_info": {"delivery_status": why} if why else {},
        },
    }
    other = {"event_name": "transactional_spam_block", "event_data": {"block_time": "x"}}
    return {"auth": "x" * 32, "events_by_user": [{"user_id": 1, "events": [other, told]}]}


def postal(event: str, payload: dict[str, Any], *, direction: str = "outgoing") -> dict[str, Any]:
    message = {"id": 1, "direction": direction, "to": ADDRESS, "tag": MID}
    return {"event": event, "timestamp": AT, "uuid": "u", "payload": {"message": message, **payload}}


@pytest.mark.parametrize(
    ("name", "told", "kind", "consequence"),
    [
        ("mailtrap", mailtrap("delivery"), "delivered", None),
        ("mailtrap", mailtrap("open"), "opened", None),
        ("mailtrap", mailtrap("click", url="https://a.example/"), "clicked", None),
        ("mailtrap", mailtrap("bounce", bounce_category="badmailbox"), "hard_bounce", ("all", "hard_bounce")),
        ("mailtrap", mailtrap("bounce"), "hard_bounce", ("all", "hard_bounce")),
        ("mailtrap", mailtrap("bounce", bounce_category="policy-related"), "soft_bounce", None),
        ("mailtrap", mailtrap("soft bounce"), "soft_bounce", None),
        ("mailtrap", mailtrap("spam"), "complained", ("all", "complaint")),
        ("mailtrap", mailtrap("unsubscribe"), "unsubscribed", ("email", "unsubscribe")),
        ("mailtrap", mailtrap("reject"), "rejected", None),
        ("mailtrap", mailtrap("something new"), "unknown", None),
        ("unisender_go", unisender("sent"), "processed", None),
        ("unisender_go", unisender("delivered"), "delivered", None),
        ("unisender_go", unisender("soft_bounced", "err_will_retry"), "soft_bounce", None),
        ("unisender_go", unisender("hard_bounced", "err_user_unknown"), "hard_bounce", ("all", "hard_bounce")),
        ("unisender_go", unisender("hard_bounced", "err_spam_rejected"), "soft_bounce", None),
        ("unisender_go", unisender("hard_bounced", "err_unsubscribed"), "rejected", ("email", "unsubscribe")),
        ("unisender_go", unisender("spam"), "complained", ("all", "complaint")),
        ("unisender_go", unisender("unsubscribed"), "unsubscribed", ("email", "unsubscribe")),
        ("postal", postal("MessageSent", {"status": "Sent"}), "delivered", None),
        ("postal", postal("MessageDelayed", {"status": "SoftFail"}), "deferred", None),
        ("postal", postal("MessageDeliveryFailed", {"status": "HardFail", "output": "550 5.1.1 no such user"}),
         "hard_bounce", ("all", "hard_bounce")),
        ("postal", postal("MessageDeliveryFailed", {"status": "HardFail", "output": "550 5.7.1 policy"}),
         "soft_bounce", None),
        ("postal", postal("MessageHeld", {"status": "Held"}), "processed", None),
        ("postal", postal("MessageBounced", {"bounce": {"id": 2}}), "soft_bounce", None),
        ("postal", postal("MessageLinkClicked", {"url": "https://a.example/"}), "clicked", None),
        ("postal", postal("MessageLoaded", {"user_agent": "Mozilla/5.0"}), "opened", None),
    ],
)  # fmt: skip
def test_each_word_of_theirs_has_one_of_ours(name, told, kind, consequence):
    (report,) = read(name, told)
    assert (report.kind, report.consequence) == (kind, consequence)
    assert (report.mid, report.address) == (MID, ADDRESS)
    assert report.occurred_at == datetime.fromtimestamp(AT, UTC)
    assert [each.dedup for each in read(name, told)] == [report.dedup]


def test_a_single_event_of_unisender_go_and_one_about_nothing_of_ours():
    (event,) = (
        each for each in unisender("delivered")["events_by_user"][0]["events"] if "status" in each["event_data"]
    )
    flat = {"auth": "x" * 32, "event_name": event["event_name"], **event["event_data"]}
    assert [report.kind for report in read("unisender_go", flat)] == ["delivered"]
    assert read("unisender_go", {**flat, "event_name": "transactional_spam_block"}) == []


def test_what_postal_says_of_mail_that_came_in_is_no_report():
    assert read("postal", postal("MessageSent", {"status": "Sent"}, direction="incoming")) == []


# -- who is believed ---------------------------------------------------------------------------------------------------


def signed_for_unisender(told: dict[str, Any], key: str) -> bytes:
    body = json.dumps({**told, "auth": key}).encode()
    return json.dumps({**told, "auth": hashlib.md5(body).hexdigest()}).encode()


def test_mailtrap_and_unisender_go_are_believed_by_their_keys_alone(settings):
    settings.MAILTRAP_WEBHOOK_SECRET, settings.UNISENDER_GO_API_KEY = "old, new", "the key"
    body = json.dumps(mailtrap("delivery")).encode()
    for secret, status in (("new", 200), ("old", 200), ("other", 403)):
        given = {"Mailtrap-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
        assert post("mailtrap", body, given) == status
    assert post("mailtrap", body, {}) == 403
    assert post("unisender_go", signed_for_unisender(unisender("delivered"), "the key"), {}) == 200
    assert post("unisender_go", signed_for_unisender(unisender("delivered"), "another"), {}) == 403
    for forged in (b"{}", b'{"auth": ""}', b'{"auth": ["x"]}', b"[]", b"\xff", '{"auth": "é"}'.encode()):
        assert post("unisender_go", forged, {}) == 403
    assert WebhookDelivery.objects.count() == 3
    settings.MAILTRAP_WEBHOOK_SECRET = settings.UNISENDER_GO_API_KEY = ""
    empty = {"Mailtrap-Signature": hmac.new(b"", body, hashlib.sha256).hexdigest()}
    assert post("mailtrap", body, empty) == 403
    assert post("unisender_go", signed_for_unisender(unisender("delivered"), ""), {}) == 403


def test_unisender_go_looks_with_a_get_whether_anybody_is_here(client):
    assert client.get("/webhooks/unisender_go/").status_code == 200
    assert client.get("/webhooks/mailtrap/").status_code == 405


def test_postal_is_believed_by_the_signature_of_its_server(settings):
    key, other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings.POSTAL_WEBHOOK_KEY = base64.b64encode(public).decode()
    body = json.dumps(postal("MessageSent", {"status": "Sent"})).encode()

    def by(signer: rsa.RSAPrivateKey, algorithm: hashes.HashAlgorithm) -> str:
        return base64.b64encode(signer.sign(body, padding.PKCS1v15(), algorithm)).decode()

    older, newer = by(key, hashes.SHA1()), by(key, hashes.SHA256())
    assert post("postal", body, {"X-Postal-Signature": older}) == 200
    assert post("postal", body, {"X-Postal-Signature": older, "X-Postal-Signature-256": newer}) == 200
    assert post("postal", body + b" ", {"X-Postal-Signature": older}) == 403
    assert post("postal", body, {"X-Postal-Signature": by(other, hashes.SHA1())}) == 403
    assert post("postal", body, {"X-Postal-Signature": older, "X-Postal-Signature-256": older}) == 403
    for forged in ("", "é", "x", "AAAA"):
        assert post("postal", body, {"X-Postal-Signature": forged}) == 403
    settings.POSTAL_WEBHOOK_KEY = ""
    assert post("postal", body, {"X-Postal-Signature": older}) == 403
    settings.POSTAL_WEBHOOK_KEY = "no key, AAAA"
    assert post("postal", body, {"X-Postal-Signature": older}) == 403
