"""SendGrid's words in ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from delivery.providers.sendgrid import webhook as sendgrid
from tests.delivery.conftest import vectors

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SAMPLES = vectors("esp_webhooks/sendgrid_event_samples.json", {"per_type": [], "dropped_reasons": []})
OURS = {
    "queued": "processed", "open": "opened", "click": "clicked", "complaint": "complained",
    "unsubscribe": "unsubscribed", "resubscribe": "resubscribed",
}  # fmt: skip


def read_one(event: dict) -> sendgrid.Report:
    (report,) = sendgrid.read(json.dumps([event]).encode(), NOW).reports
    return report


@pytest.mark.parametrize("sample", SAMPLES["per_type"], ids=lambda sample: sample["doc_name"])
def test_every_documented_event_has_our_word_and_its_consequence(sample):
    report = read_one(sample["event"])
    expected = sample["expected_kind"]
    assert report.kind == OURS.get(expected, expected)
    if sample["expected_suppress"] is not None:
        assert (report.consequence is not None) == sample["expected_suppress"]


@pytest.mark.parametrize("sample", SAMPLES["dropped_reasons"], ids=lambda sample: sample["reason"])
def test_sendgrids_own_list_becomes_ours(sample):
    report = read_one({"event": "dropped", "email": "a@b.example", "reason": sample["reason"]})
    assert (report.consequence is not None) == sample["expected_import_suppression"]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "bounce"}, "hard_bounce"),
        ({"type": "bounce", "bounce_classification": "Invalid Address"}, "hard_bounce"),
        ({"type": "bounce", "bounce_classification": "Mailbox Unavailable"}, "soft_bounce"),
        ({"type": "bounce", "bounce_classification": "Reputation"}, "soft_bounce"),
        ({"type": "blocked", "bounce_classification": "Invalid Address"}, "soft_bounce"),
        ({"type": "bounce", "status": "4.2.2"}, "soft_bounce"),
        ({"type": "bounce", "status": "5.1.1"}, "hard_bounce"),
        ({"type": "something new"}, "hard_bounce"),
        ({}, "hard_bounce"),
    ],
)
def test_only_an_address_that_does_not_exist_bounces_for_good(event, kind):
    assert read_one({"event": "bounce", "email": "a@b.example", **event}).kind == kind


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1513299569, datetime(2017, 12, 15, 0, 59, 29, tzinfo=UTC)),
        ("1513299569", datetime(2017, 12, 15, 0, 59, 29, tzinfo=UTC)),
        (1513299569.5, datetime(2017, 12, 15, 0, 59, 29, 500_000, tzinfo=UTC)),
        (NOW.timestamp() + 60, NOW),
        (1, NOW),
        ("soon", NOW),
        (None, NOW),
        ([], NOW),
        (10**18, NOW),
    ],
)
def test_an_instant_that_cannot_be_is_when_we_heard_of_it(given, read):
    assert read_one({"event": "open", "timestamp": given}).occurred_at == read


@pytest.mark.parametrize(
    ("said", "is_machine"), [(True, True), ("true", True), (False, False), (None, False), ("x", False)]
)
def test_a_machines_open_is_known_as_one(said, is_machine):
    assert read_one({"event": "open", "sg_machine_open": said}).is_machine is is_machine


def test_one_event_is_one_whatever_id_the_vendor_gives_it_this_time():
    event = {
        "event": "click",
        "mid": "6f1c5f5e-8d2c-4a0e-9d53-0f6b1f3f2a11",
        "timestamp": 1513299569,
        "url": "https://a",
    }
    first = read_one({**event, "sg_event_id": "one"})
    assert read_one({**event, "sg_event_id": "two", "ip": "1.2.3.4"}).dedup == first.dedup
    for change in ({"url": "https://b"}, {"timestamp": 1513299570}, {"event": "open"}, {"mid": None, "email": "a@b.c"}):
        assert read_one({**event, **change}).dedup != first.dedup


@pytest.mark.parametrize(
    ("group", "scope"), [("123", "newsletter"), (456, "offers"), (789, "email"), (None, "email"), ([], "email")]
)
def test_who_leaves_a_group_leaves_its_topic_else_all_marketing(settings, group, scope):
    settings.SENDGRID_GROUPS = "123=newsletter, 456 = offers"
    report = read_one({"event": "group_unsubscribe", "email": "a@b.example", "asm_group_id": group})
    assert report.consequence == (scope, "unsubscribe")
    assert read_one({"event": "unsubscribe", "asm_group_id": group}).consequence == ("email", "unsubscribe")
