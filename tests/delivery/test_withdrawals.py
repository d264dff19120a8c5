"""Withdrawing a consent, or a person, is like a suppression: once it is acknowledged, no marketing request starts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from contacts import chaos, clock, consent, transactions
from contacts.consent import Consent
from contacts.models import ConsentRecord, Contact, ContactIdentity
from contacts.privacy import erasing, restricting
from tests.contacts.conftest import Api, make_key
from tests.delivery import making
from tests.delivery.test_gate_races import PausedSender, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def by_the_api(who: Contact) -> float:
    said = json.dumps({"category": "marketing", "state": "denied", "evidence": {"policy_version": "7"}})
    answer = api().call("POST", f"/api/v1/contacts/{who.public_id}/consents", said.encode())
    assert answer.status_code == 201
    return time.monotonic()


def by_an_upsert(who: Contact) -> float:
    said = json.dumps({"email": who.email, "consents": {"marketing": {"all": "denied"}}})
    assert api().call("POST", "/api/v1/contacts", said.encode()).status_code == 200
    return time.monotonic()


def by_a_restriction(who: Contact) -> float:
    transactions.run(lambda now: restricting.restrict(who.pk, actor="test", source="admin", now=now))
    return time.monotonic()


def by_an_erasure(who: Contact) -> float:
    transactions.run(lambda now: erasing.erase(who.pk, actor="test", now=now))
    return time.monotonic()


def api() -> Api:
    return Api(make_key("contacts:write"))


def known(now) -> Contact:
    """With the identity by which an upsert finds them."""
    who = making.contact("ada@example.com")
    ContactIdentity.objects.create(kind="email", value=who.email, contact_id=who.pk, first_seen_at=now)
    return who


WAYS = [by_the_api, by_an_upsert, by_a_restriction, by_an_erasure]


def is_written(who: Contact) -> bool:
    denied = ConsentRecord.objects.filter(contact_id=who.pk, state="denied").exists()
    return denied or Contact.objects.filter(pk=who.pk, erased_at__isnull=False).exists()


@pytest.mark.parametrize("withdraw", WAYS)
def test_it_is_acknowledged_only_when_no_request_can_start(withdraw, esp, beside, settings, monkeypatch, now):
    settings.SEND_LEASE_SECONDS = 10
    who = known(now)
    message = making.message(who.pk)
    sender = PausedSender(monkeypatch, beside)
    answer = beside(withdraw, who)
    wait_until(lambda: is_written(who))
    time.sleep(0.1)
    assert not answer.done()  # it is committed, and the claimed request may still start
    sender.go.set()
    sender.done.result(10)
    acknowledged_at = answer.result(10)
    assert making.state(message) == "accepted"
    assert [each.at < acknowledged_at for each in esp.received] == [True]


@pytest.mark.parametrize("withdraw", WAYS)
def test_without_the_wait_a_request_would_start_after_the_acknowledgement(
    withdraw: Callable[[Contact], float],
    esp,
    beside,
    settings,
    monkeypatch,
    now,
):
    """The mutant: what the test above would let through if it could not fail."""
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "withdrawals_are_not_drained")
    settings.SEND_LEASE_SECONDS = 10
    who = known(now)
    making.message(who.pk)
    sender = PausedSender(monkeypatch, beside)
    acknowledged_at = withdraw(who)
    sender.go.set()
    sender.done.result(10)
    assert [each.at > acknowledged_at for each in esp.received] == [True]


def test_it_waits_for_a_stopped_worker_no_longer_than_its_lease(esp, beside, settings, monkeypatch, now):
    settings.SEND_LEASE_SECONDS = 0.5
    who = known(now)
    message = making.message(who.pk)
    sender = PausedSender(monkeypatch, beside)
    by_the_api(who)  # returns although the worker stands still
    sender.go.set()
    sender.done.result(10)
    monkeypatch.setattr(chaos, "point", lambda name: None)
    making.deliver()
    assert esp.received == [] and making.state(message) == "suppressed:consent"


def test_other_consents_wait_for_nobody(esp, beside, settings, monkeypatch, now):
    settings.SEND_LEASE_SECONDS = 10
    who = known(now)
    making.message(who.pk)
    sender = PausedSender(monkeypatch, beside)
    said = json.dumps({"category": "sale", "state": "denied"}).encode()
    assert api().call("POST", f"/api/v1/contacts/{who.public_id}/consents", said).status_code == 201
    sender.go.set()
    sender.done.result(10)
    assert len(esp.received) == 1


@pytest.mark.parametrize(
    ("said", "topic", "state"),
    [
        ({"category": "marketing", "topic": "email"}, "", "suppressed:consent"),
        ({"category": "marketing", "topic": "email"}, "news", "suppressed:consent"),
        ({"category": "marketing", "topic": "sms"}, "news", "accepted"),
        ({"category": "marketing", "topic": "offers"}, "news", "accepted"),
        ({"category": "data_processing"}, "news", "suppressed:consent"),
        ({"category": "sale"}, "news", "accepted"),
        ({"category": "tracking"}, "news", "accepted"),
    ],
)
def test_what_a_denial_stops(said, topic, state, now):
    who = known(now)
    body = json.dumps({**said, "state": "denied"}).encode()
    assert api().call("POST", f"/api/v1/contacts/{who.public_id}/consents", body).status_code == 201
    marketing = making.message(who.pk, topic=topic)
    receipt = making.message(who.pk, message_class="transactional")
    making.deliver()
    assert making.states([marketing, receipt]) == [state, "accepted"]


def test_who_agreed_to_one_channel_alone_hears_by_no_other(settings, now):
    settings.MARKETING_CONSENT = "opt_in"
    who = known(now).pk
    transactions.run(lambda at: consent.record([Consent(who, "marketing", "granted", "sms")], source="api", now=at))
    channels = ["email", "sms", "push"]
    assert consent.marketing_denied([who] * 3, ["news"] * 3, channels) == {
        (who, "news", "email"),
        (who, "news", "push"),
    }
    assert clock.now() > now
