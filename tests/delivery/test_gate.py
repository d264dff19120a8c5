"""What the gate lets through, what it holds back, and the reason that it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from contacts import clock, consent
from contacts.consent import Consent
from contacts.models import ConsentRecord, Contact
from delivery import due, gate, suppression
from delivery.models import Address, OutboxEntry, SendLogEntry, Suppression
from delivery.providers import CHANNELS
from delivery.rates.routes import CLASSES
from tests.delivery import making

pytestmark = pytest.mark.django_db


def suppress(address: str, scope: str = "email", reason: str = "manual") -> None:
    suppression.suppress(channel="email", address=address, scope=scope, reason=reason, source="api", now=clock.now())


@pytest.mark.parametrize(
    ("scope", "reason", "marketing", "on_topic", "transactional"),
    [
        ("all", "manual", "suppressed:manual", "suppressed:manual", "suppressed:manual"),
        ("email", "unsubscribe", "suppressed:unsubscribe", "suppressed:unsubscribe", "accepted"),
        ("news", "unsubscribe", "accepted", "suppressed:unsubscribe", "accepted"),
        ("sms", "manual", "accepted", "accepted", "accepted"),
        ("email", "hard_bounce", *["suppressed:hard_bounce"] * 3),
        ("email", "complaint", *["suppressed:complaint"] * 3),
        ("email", "soft_bounce", "suppressed:soft_bounce", "suppressed:soft_bounce", "accepted"),
    ],
)
def test_a_suppression_stops_what_its_scope_says(scope, reason, marketing, on_topic, transactional):
    who = making.contact(frequency_cap={"per_day": None, "per_week": None})
    suppress("ada@example.com", scope, reason)
    messages = [
        making.message(who.pk),
        making.message(who.pk, topic="news"),
        making.message(who.pk, message_class="transactional"),
    ]
    making.deliver()
    assert making.states(messages) == [marketing, on_topic, transactional]


def test_a_skipped_message_leaves_its_reason_in_the_log_the_events_and_the_news(told):
    who = making.contact()
    suppress("ada@example.com", "email", "unsubscribe")
    message = making.message(who.pk, workflow_id=3)
    making.deliver()
    row = SendLogEntry.objects.get(message=message)
    assert (row.kind, row.reason, row.evidence) == ("suppressed", "unsubscribe", {"scope": "email"})
    assert [(each.kind, each.reason, each.workflow_id) for each in told] == [("suppressed", "unsubscribe", 3)]
    ((name, properties),) = making.events(who.pk)
    assert name == "send_suppressed" and properties["reason"] == "unsubscribe"
    assert not OutboxEntry.objects.exists()


@pytest.mark.parametrize(
    ("said", "topic", "state"),
    [
        ([("denied", "")], "", "suppressed:consent"),
        ([("denied", "")], "news", "suppressed:consent"),
        ([("denied", "news")], "news", "suppressed:consent"),
        ([("denied", "news")], "", "accepted"),
        ([("denied", ""), ("granted", "")], "", "accepted"),
    ],
)
def test_marketing_needs_consent(said, topic, state):
    who = making.contact(frequency_cap={"per_day": None, "per_week": None})
    with transaction.atomic():
        for answer, about in said:
            consent.record([Consent(who.pk, "marketing", answer, about)], source="api", now=clock.now())
    marketing, transactional = (
        making.message(who.pk, topic=topic),
        making.message(who.pk, message_class="transactional"),
    )
    making.deliver()
    assert making.states([marketing, transactional]) == [state, "accepted"]


def test_where_consent_must_be_given_first_silence_is_no(settings):
    settings.MARKETING_CONSENT = "opt_in"
    message = making.message()
    making.deliver()
    assert making.state(message) == "suppressed:consent"


@pytest.mark.parametrize("email", ["", "not an address", "a@b@c.example", "ada@example.com\nBcc: eve@example.com"])
def test_a_contact_without_a_usable_address_is_skipped_and_holds_nobody_up(email):
    nobody, somebody = making.message(making.contact(email).pk), making.message()
    making.deliver()
    assert making.states([nobody, somebody]) == ["suppressed:no_address", "accepted"]


def test_a_message_of_a_contact_that_is_gone_is_skipped():
    who = making.contact()
    message = making.message(who.pk)
    Contact.objects.filter(pk=who.pk).delete()
    making.deliver()
    assert making.state(message) == "suppressed:no_address"


def test_a_channel_that_nobody_serves_is_refused(settings):
    settings.SMS_PROVIDER = ""
    message = making.message(channel="sms")
    making.deliver()
    assert making.state(message) == "rejected:no_provider"


def test_the_claim_says_until_when_the_request_may_start_and_to_which_address(settings):
    message = making.message(making.contact("Ada@Example.com").pk)
    with transaction.atomic():
        now = clock.now()
        batch = gate.claim("urgent", limit=10, provider="sandbox", now=now)
    (claim,) = batch.claims
    row = OutboxEntry.objects.get(message=message)
    assert (row.state, row.attempt, row.address_id) == ("sending", 1, claim.address_id)
    assert row.lease_until == now + timedelta(seconds=settings.SEND_LEASE_SECONDS)
    assert SendLogEntry.objects.get(message=message).counts_at == now
    assert Address.objects.get(pk=claim.address_id).shown == "Ada@Example.com"


def test_a_message_is_claimed_once():
    making.message()
    with transaction.atomic():
        assert gate.claim("urgent", limit=10, provider="sandbox", now=clock.now()).taken == 1
    with transaction.atomic():
        assert gate.claim("urgent", limit=10, provider="sandbox", now=clock.now()).taken == 0


def test_a_batch_touches_the_rows_that_it_takes_however_long_the_queue():
    """Neither those that come after, nor those that are for later."""
    version = making.template()
    for priority in (3, 5, 9):
        making.enqueue(*[making.request(who, version, priority=priority) for who in making.contacts(1000)])
    making.change("UPDATE outbox SET due_at = due_at + interval '1 hour' WHERE priority = %s", [9])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbox")
        common: dict[str, Any] = {"lane": "urgent", "now": clock.now(), "limit": 10}
        of_one = {"channel": "email", "classes": list(CLASSES)}
        of_all = {
            "asked": list(CHANNELS),
            "channels": [channel for channel in CHANNELS for _ in CLASSES],
            "classes": [each for _ in CHANNELS for each in CLASSES],
        }
        for statement, asked in ((due.TAKE, of_one), (due.COUNT, of_all)):
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", common | asked)
            (plan,) = cursor.fetchone()[0]
            scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "outbox"]
            assert {node.get("Index Name") for node in scans} == {"outbox_due_by_class"}
            assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) < 20
            assert not any(node.get("Rows Removed by Filter") for node in scans)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def test_messages_are_taken_by_priority_and_then_by_how_long_they_have_been_due():
    first, second, best = making.message(priority=4), making.message(priority=4), making.message(priority=10)
    making.change("UPDATE outbox SET due_at = due_at - interval '1 hour' WHERE message_id = %s", [second.pk])
    with transaction.atomic():
        batch = gate.claim("urgent", limit=2, provider="sandbox", now=clock.now())
    assert [claim.due.message_id for claim in batch.claims] == [best.pk, second.pk]
    assert making.state(first) == "queued"


def test_a_claim_names_the_records_of_consent_and_suppression_that_it_was_decided_on():
    who = making.contact()
    with transaction.atomic():
        consent.record([Consent(who.pk, "marketing", "denied", "news")], source="api", now=clock.now())
        consent.record([Consent(who.pk, "marketing", "granted", "news")], source="api", now=clock.now())
    suppress("ada@example.com")
    suppression.release(channel="email", address="ada@example.com", by="eve", now=clock.now())
    message, unsaid = making.message(who.pk, topic="news"), making.message()
    making.deliver()
    claims = {row.message_id: row.evidence for row in SendLogEntry.objects.filter(kind="claimed")}
    assert claims[message.pk]["consent"] == ConsentRecord.objects.latest("id").pk
    assert claims[message.pk]["suppression"] == Suppression.objects.get().pk
    assert "consent" not in claims[unsaid.pk] and "suppression" not in claims[unsaid.pk]
