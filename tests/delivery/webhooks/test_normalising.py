"""Recorded requests of ten vendors, in our words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from delivery.providers import entries
from delivery.webhooks import vocabulary
from delivery.webhooks.base import Report
from tests.delivery.conftest import vectors

NOW = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
NAMES = {"amazon_ses": "ses"}
VENDORS = ("sendgrid", "postmark", "mailgun", "amazon_ses", "mandrill", "resend", "brevo", "mailjet", "sparkpost",
           "mailersend")  # fmt: skip
INITIAL = "ANYMAIL_SPARKPOST_TRACK_INITIAL_OPEN_AS_OPENED"  # an option there: to count each open twice
CASES = [
    (NAMES.get(name, name), case)
    for name in VENDORS
    for case in vectors(f"esp_webhooks/anymail_{name}.json", {"cases": []})["cases"]
    if case.get("events") and case["method"] == "POST" and INITIAL not in (case.get("anymail_settings") or {})
]
# What is documented of each event, and what it may be in our words: bounces are told apart, and what was refused for
# somebody's policy or list is no bounce for good.
OURS: dict[str, set[str]] = {
    "queued": {"processed"},
    "sent": {"processed"},
    "delivered": {"delivered"},
    "deferred": {"deferred"},
    "bounced": {"hard_bounce", "soft_bounce", "rejected"},
    "rejected": {"rejected", "hard_bounce", "soft_bounce"},
    "failed": {"rejected", "unknown"},
    "opened": {"opened"},
    "clicked": {"clicked"},
    "complained": {"complained"},
    "unsubscribed": {"unsubscribed"},
    "subscribed": {"resubscribed"},
    "autoresponded": {"unknown"},
    "unknown": {"unknown"},
}


def read(name: str, body: bytes) -> list[Report]:
    vendor = entries()[name].vendor
    assert vendor is not None
    reading = vendor.read(body, NOW)
    assert not reading.unread
    return list(reading.reports)


def ident(each: Any) -> str:
    return each if isinstance(each, str) else each["test"].rpartition(".")[2]


@pytest.mark.parametrize(("name", "case"), CASES, ids=ident)
def test_every_recorded_request_is_read_as_documented(name, case):
    reports = read(name, case["body"].encode())
    expected = [event for event in case["events"] if not _is_nothing(name, event)]
    reports = [report for report in reports if expected or report.kind != "unknown"]
    assert len(reports) == len(expected)
    for report, event in zip(reports, expected, strict=True):
        assert report.kind in OURS[event["event_type"]]
        assert report.address == (event["recipient"] or "")
        if event["timestamp"] and name != "ses":
            documented = datetime.fromisoformat(event["timestamp"])
            assert abs(report.occurred_at - documented) < timedelta(milliseconds=1) or documented.year < 2000
        assert report.detail.get("url", "") == (event["click_url"] or "")
        assert len(report.dedup) == 32


def _is_nothing(name: str, event: dict[str, Any]) -> bool:
    """An event of a kind that says nothing, of nobody: a body that was made up to test who may post."""
    return name != "sparkpost" and event["recipient"] is None and event["event_type"] == "unknown"


@pytest.mark.parametrize(
    ("name", "test", "kind", "consequence"),
    [
        ("postmark", "test_bounce_event", "hard_bounce", ("all", "hard_bounce")),
        ("postmark", "test_subscription_change_bounce", "hard_bounce", ("all", "hard_bounce")),
        ("postmark", "test_spam_event", "complained", ("all", "complaint")),
        ("postmark", "test_unsubscribe", "unsubscribed", ("email", "unsubscribe")),
        ("postmark", "test_resubscribe", "resubscribed", None),
        ("mailgun", "test_failed_permanent_event", "hard_bounce", ("all", "hard_bounce")),
        ("mailgun", "test_failed_temporary_event", "deferred", None),
        ("mailgun", "test_invalid_mailbox", "hard_bounce", ("all", "hard_bounce")),
        ("mailgun", "test_dropped_bounce", "rejected", ("all", "hard_bounce")),
        ("mailgun", "test_dropped_spam", "rejected", ("all", "complaint")),
        ("mailgun", "test_dropped_timed_out", "rejected", None),
        ("mailgun", "test_rejected_event", "rejected", None),
        ("ses", "test_bounce_event", "hard_bounce", ("all", "hard_bounce")),
        ("ses", "test_complaint_event", "complained", ("all", "complaint")),
        ("ses", "test_reject_event", "rejected", None),
        ("mandrill", "test_hard_bounce_event", "hard_bounce", ("all", "hard_bounce")),
        ("resend", "test_hard_bounced_event", "hard_bounce", ("all", "hard_bounce")),
        ("resend", "test_suppressed_event", "rejected", ("email", "provider")),
        ("brevo", "test_hard_bounce", "hard_bounce", ("all", "hard_bounce")),
        ("brevo", "test_invalid_email", "hard_bounce", ("all", "hard_bounce")),
        ("brevo", "test_soft_bounce_event", "soft_bounce", None),
        ("brevo", "test_blocked", "rejected", ("email", "provider")),
        ("mailjet", "test_bounce_event", "hard_bounce", ("all", "hard_bounce")),
        ("mailjet", "test_bounced_greylist_event", "deferred", None),
        ("mailjet", "test_blocked_event", "rejected", None),
        ("sparkpost", "test_bounce_event", "hard_bounce", ("all", "hard_bounce")),
        ("sparkpost", "test_generation_rejection_event", "rejected", ("email", "provider")),
        ("mailersend", "test_hard_bounced_event", "hard_bounce", ("all", "hard_bounce")),
        ("mailersend", "test_soft_bounced_event", "soft_bounce", None),
        ("mailersend", "test_spam_complaint_event", "complained", ("all", "complaint")),
    ],
)
def test_only_what_is_for_good_ends_an_address(name, test, kind, consequence):
    found = [case for vendor, case in CASES if vendor == name and case["test"].endswith(f".{test}")]
    for case in found:
        report = read(name, case["body"].encode())[0]
        assert (report.kind, report.consequence) == (kind, consequence)
    assert found or not CASES


MID = "6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("postmark", b'{"RecordType": "Delivery", "Metadata": {"mid": "%s"}}'),
        ("mailgun", b'{"event-data": {"event": "delivered", "timestamp": 1, "user-variables": {"mid": "%s"}}}'),
        ("resend", b'{"type": "email.delivered", "created_at": "2026-01-01T00:00:00Z", "data": {"headers":'
                   b' [{"name": "X-Metadata", "value": "{\\"mid\\": \\"%s\\"}"}]}}'),
        ("brevo", b'{"event": "delivered", "X-Mailin-custom": "{\\"mid\\": \\"%s\\"}"}'),
        ("mailjet", b'[{"event": "sent", "Payload": "{\\"mid\\": \\"%s\\"}"}]'),
        ("mailersend", b'{"data": {"type": "delivered", "email": {"tags": ["%s"]}}}'),
        ("mandrill", b'mandrill_events=[{"event": "send", "msg": {"metadata": {"mid": "%s"}}}]'),
        ("sparkpost", b'[{"msys": {"message_event": {"type": "delivery", "rcpt_meta": {"mid": "%s"}}}}]'),
        ("ses", b'{"Type": "Notification", "Message": "{\\"eventType\\": \\"Delivery\\", \\"mail\\": {\\"tags\\":'
                b' {\\"mid\\": [\\"%s\\"]}}}"}'),
        ("twilio", b"MessageSid=SM1&MessageStatus=delivered&To=%%2B491234&mid=%s"),
        ("sendgrid", b'[{"event": "delivered", "mid": "%s"}]'),
    ],
)  # fmt: skip
def test_our_own_name_of_the_message_comes_back_from_every_vendor(name, body):
    (report,) = read(name, body % MID.encode())
    assert report.mid == MID
    assert report.kind in ("delivered", "processed")


@pytest.mark.parametrize(("name", "case"), CASES, ids=ident)
def test_the_same_request_again_is_known_and_another_one_is_not(name, case):
    body = case["body"].encode()
    first = [report.dedup for report in read(name, body)]
    assert [report.dedup for report in read(name, body)] == first
    later = entries()[name].vendor.read(body, NOW + timedelta(days=1))
    assert [report.dedup for report in later.reports] == first, "when it is heard of is no part of what it is"
    assert len(set(first)) == len(first)


GOOD: dict[str, Any] = {
    "mailjet": b'{"event": "sent", "email": "a@b.example", "time": 1700000000}',
    "sparkpost": b'{"msys": {"message_event": {"type": "delivery", "raw_rcpt_to": "a@b.example"}}}',
    "mandrill": b'{"event": "send", "msg": {"email": "a@b.example"}, "ts": 1700000000}',
}
BAD = (b"null", b"3", b'"x"', b"[]", b"{}", b'{"event": null, "msys": null, "msg": 3}',
       b'{"event": [1], "time": "soon"}', b'{"msys": {"a": 1, "b": 2}}',
       b'{"event": "sent", "time": 1e400}')  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("bad", BAD)
def test_a_broken_element_never_takes_the_others_along(name, bad):
    body = b"[" + bad + b"," + GOOD[name] + b"," + bad + b"]"
    vendor = entries()[name].vendor
    reading = vendor.read(b"mandrill_events=" + body if name == "mandrill" else body, NOW)
    assert [report.address for report in reading.reports if report.address] == ["a@b.example"]


@pytest.mark.parametrize("name", sorted(name for name, entry in entries().items() if entry.vendor))
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"3", b"{}", b"[]", b"[[]]", b"[{}]", b"\xff\xfe\x00", b"[" * 100_000, b"--x", b"--", b"a=b&a=c",
     b"%zz=%", b'{"Type": "Notification", "Message": "{}"}',
     b'{"Type": "Notification", "Message": 3}', b'{"event-data": 1}',
     b'{"type": 3, "data": []}', b'{"event": "open", "timestamp": ' + b"9" * 6000 + b"}",
     b'{"event": "\\ud800", "email": "\\u0000@x"}', b"MessageSid=&MessageStatus=", b"mandrill_events=[[[", b"&" * 2000],
)  # fmt: skip
def test_no_bytes_whatever_are_more_than_a_reader_can_take(name, body):
    reading = entries()[name].vendor.read(body, NOW)
    assert all(report.kind and len(report.dedup) == 32 for report in reading.reports)
    assert all(isinstance(word, str) for word in reading.unread)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("mailgun", b'{"event-data": {"event": "opened", "timestamp": 1, "client-info": {"bot": "apple"}}}'),
        ("brevo", b'{"event": "unique_proxy_open"}'),
        ("sparkpost", b'[{"msys": {"track_event": {"type": "open", "is_prefetched": true}}}]'),
        ("sendgrid", b'[{"event": "open", "sg_machine_open": true}]'),
        ("postmark", b'{"RecordType": "Open", "UserAgent": "Mozilla/5.0"}'),
        ("ses", b'{"Type": "Notification", "Message": "{\\"eventType\\": \\"Open\\", \\"open\\": {\\"userAgent\\":'
                b' \\"Mozilla/5.0\\"}}"}'),
    ],
)  # fmt: skip
def test_what_a_vendor_says_of_machines_is_believed(name, body):
    (report,) = read(name, body)
    assert report.kind == vocabulary.OPENED and report.is_machine
    assert set(report.detail["machine"]) == {"sign", "evidence"}


def test_a_boundary_that_is_none_is_no_form():
    for body in (b"--" + b"x" * 5000 + b"\r\n", b"--\xff\r\n", b"--\r\n"):
        assert entries()["mailgun"].vendor.read(body, NOW).unread
