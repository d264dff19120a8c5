"""What is kept for so long and no longer, and what is never let go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from contacts import clock, consent
from contacts.consent import Consent
from contacts.models import (
    ConsentRecord,
    Contact,
    ContactEvent,
    OptInRequest,
    PrivacyDeed,
)
from contacts.privacy import expiry
from delivery import retention
from delivery.models import Message, SendLogEntry, Suppression, WebhookDelivery
from tests import journeys
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)


def gone() -> set[int]:
    making.run(expiry.keep_batch)
    return set(Contact.objects.filter(erased_at__isnull=False).values_list("pk", flat=True))


def aged(days: int, *, event_days: int | None = None) -> int:
    who = making.contacts(1)[0]
    Contact.objects.filter(pk=who).update(updated_at=clock.now() - timedelta(days=days))
    if event_days is not None:
        journeys.track(who, "page_viewed")
        making.age("recorded_at", "event_keys", "0 days")
        making.change(
            "UPDATE contact_events SET occurred_at = now() - make_interval(days => %s),"
            " recorded_at = recorded_at WHERE contact_id = %s",
            [event_days, who],
        )
    return who


def test_who_did_nothing_for_so_long_is_erased_and_nobody_else(settings):
    settings.CONTACT_RETENTION = "P365D"
    silent = aged(400)
    changed, active = aged(300), aged(400, event_days=10)
    with transaction.atomic():
        consent.record([Consent(silent, "marketing", "denied")], source="api", now=clock.now())
    assert gone() == {silent}
    assert PrivacyDeed.objects.get().actor == "retention"
    assert ConsentRecord.objects.count() == 1
    assert {changed, active} <= set(Contact.objects.filter(erased_at=None).values_list("pk", flat=True))


def test_a_message_that_is_still_to_be_sent_keeps_its_contact(settings):
    settings.CONTACT_RETENTION = "P365D"
    who = aged(400)
    making.message(who)
    assert gone() == set()


def test_everybody_is_looked_at_slice_after_slice_and_then_again(settings, monkeypatch):
    monkeypatch.setattr(expiry, "LOOKED_AT", 3)
    monkeypatch.setattr(expiry, "ERASED_AT_ONCE", 2)
    settings.CONTACT_RETENTION = "P365D"
    old = {aged(400) for _ in range(7)}
    aged(1)
    assert gone() == old
    late = aged(400)
    assert gone() == old | {late}


def test_by_default_nobody_is_erased():
    aged(4000)
    assert gone() == set()


def test_a_question_that_nobody_answered_is_forgotten_and_an_answer_is_kept(now):
    old = clock.now() - timedelta(days=60)
    for number, confirmed_at in enumerate([None, old]):
        OptInRequest.objects.create(
            token_hash=bytes([number]), contact_id=1, requested_at=old, expires_at=old, confirmed_at=confirmed_at
        )
    OptInRequest.objects.create(token_hash=b"new", contact_id=1, requested_at=old, expires_at=clock.now())
    expiry.keep_batch()
    assert OptInRequest.objects.count() == 2
    assert OptInRequest.objects.filter(confirmed_at=None).get().token_hash == b"new"


def test_bodies_of_webhooks_go_a_while_after_they_were_read():
    at = clock.now()
    for days, folded in ((8, True), (6, True), (30, False)):
        WebhookDelivery.objects.create(
            provider="sendgrid",
            body=b"[]",
            received_at=at - timedelta(days=days),
            folded_at=at - timedelta(days=days) if folded else None,
        )
    making.run(retention.prune_batch)
    assert WebhookDelivery.objects.count() == 2


def test_old_messages_keep_what_they_were_about_and_nothing_of_the_person(settings, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    context = {"trigger": {"name": "Ada"}, "about": {"workflow": "journey"}}
    old = [making.message(context=context) for _ in range(3)]
    making.deliver()
    waiting = making.message(context=context)
    making.age("created_at", "messages", "366 days")
    young = making.message(context=context)
    making.change("UPDATE contact_send_log SET provider_said = 'ada@example.com'", [])
    making.run(retention.prune_batch)
    contexts = dict(Message.objects.values_list("pk", "context"))
    assert [contexts[each.pk] for each in old] == [{"about": {"workflow": "journey"}}] * 3
    assert contexts[waiting.pk] == contexts[young.pk] == context
    assert set(SendLogEntry.objects.values_list("provider_said", flat=True)) == {""}
    assert making.states(old) == ["accepted"] * 3


def test_suppressions_are_never_let_go(settings):
    settings.CONTACT_RETENTION = "P1D"
    from delivery import suppression

    suppression.suppress(
        channel="email", address="a@example.com", scope="email", reason="manual", source="api", now=clock.now()
    )
    making.age("created_at", "suppressions", "9000 days")
    aged(400)
    making.run(expiry.keep_batch)
    making.run(retention.prune_batch)
    assert Suppression.objects.filter(released_at=None).count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM addresses")
        assert cursor.fetchone()[0] == 1
    assert ContactEvent.objects.count() == 0
