"""Two at once, arranged by hand: whoever holds the lock decides, and whoever waited for it reads what was decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from contacts import chaos, clock, consent
from contacts.consent import Consent
from contacts.models import ConsentRecord, Contact
from delivery import addresses, gate, sending, suppression
from delivery.models import Message, SendLogEntry, Suppression
from delivery.suppression import NewSuppression
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.005)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw at its first look
        cursor.execute(
            """
            SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                            WHERE wait_event_type = 'Lock' AND datname = current_database())
            """
        )
        return cursor.fetchone()[0]


def contact_with_known_address(email: str) -> int:
    """The row of the address is there: what has to be waited for is its lock, not its birth."""
    addresses.rows(channel="email", given=[email], now=clock.now())
    return making.contact(email).pk


def suppress_in_this_transaction(address: str) -> None:
    rows = addresses.rows(channel="email", given=[address], now=clock.now())
    addresses.lock(rows.values())
    suppression.record([NewSuppression(rows[address], "email", "unsubscribe", "page")], now=clock.now())


def claim_while_an_unsubscribe_is_being_committed(beside: Any, address: str) -> None:
    with transaction.atomic():
        suppress_in_this_transaction(address)
        sender = beside(sending.deliver_batch, "urgent")
        wait_until(somebody_waits_for_a_lock)
    assert sender.result(10) is True


def test_a_gate_that_waited_for_an_unsubscribe_sees_it(beside):
    message = making.message(contact_with_known_address("ada@example.com"))
    claim_while_an_unsubscribe_is_being_committed(beside, "ADA@example.com")
    assert making.state(message) == "suppressed:unsubscribe"
    assert making.mails(message) == []


def test_an_address_that_nobody_knew_is_a_lock_from_its_birth_on(beside):
    message = making.message(making.contact("new@example.com").pk)
    claim_while_an_unsubscribe_is_being_committed(beside, "new@example.com")
    assert making.state(message) == "suppressed:unsubscribe"


def test_a_gate_that_reads_before_it_locks_would_not(beside, monkeypatch):
    """The mutant: what the test above would let through if it could not fail."""
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "gate_reads_before_it_locks")
    message = making.message(contact_with_known_address("ada@example.com"))
    claim_while_an_unsubscribe_is_being_committed(beside, "ada@example.com")
    assert making.state(message) == "accepted"


def test_two_lanes_that_claim_for_one_contact_share_one_place(beside):
    who = making.contact()
    urgent, bulk = making.message(who.pk), making.message(who.pk, lane="bulk")
    with transaction.atomic():
        gate.claim("urgent", limit=10, provider="sandbox", now=clock.now())
        other = beside(sending.deliver_batch, "bulk")
        wait_until(somebody_waits_for_a_lock)
    other.result(10)
    assert making.log(urgent) == ["claimed"] and making.log(bulk) == ["capped"]


def claim_while_another_claim_is_being_committed(beside: Any, contact_id: int) -> Message:
    """The second message comes after the first was decided, and would go before it in the contact's line."""
    making.message(contact_id)
    with transaction.atomic():
        gate.claim("urgent", limit=10, provider="sandbox", now=clock.now())
        later = beside(making.message, contact_id, lane="bulk", priority=9).result(10)
        other = beside(sending.deliver_batch, "bulk")
        wait_until(somebody_waits_for_a_lock)
    other.result(10)
    return later


def test_a_later_arrival_never_displaces(beside):
    later = claim_while_another_claim_is_being_committed(beside, contact_with_known_address("ada@example.com"))
    assert making.state(later) == "capped:frequency_cap"


def test_a_gate_that_counts_before_it_locks_would_give_the_place_twice(beside, monkeypatch):
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "gate_reads_before_it_locks")
    later = claim_while_another_claim_is_being_committed(beside, contact_with_known_address("ada@example.com"))
    assert making.state(later) == "accepted"


def test_the_cap_holds_for_one_contact_in_many_lanes_and_workers(beside):
    people = making.contacts(20)
    version = making.template()
    for lane in ("urgent", "bulk"):
        making.enqueue(*[making.request(who, version, lane=lane, workflow_id=n) for who in people for n in range(3)])
    workers = [beside(making.deliver, lane) for lane in ("urgent", "bulk", "urgent", "bulk")]
    for worker in workers:
        worker.result(60)
    counted = {who: 0 for who in people}
    for contact_id, delta in SendLogEntry.objects.values_list("contact_id", "cap_delta"):
        counted[contact_id] += delta
    assert set(counted.values()) == {1}
    assert SendLogEntry.objects.filter(kind="accepted").count() == 20
    assert SendLogEntry.objects.filter(kind="capped").count() == 100


class PausedSender:
    """A worker that stands between its claim and its first request until it is let go."""

    def __init__(self, monkeypatch: Any, beside: Any) -> None:
        self.claimed, self.go = threading.Event(), threading.Event()
        monkeypatch.setattr(chaos, "point", self._stand)
        self.done = beside(sending.deliver_batch, "urgent")
        assert self.claimed.wait(10)

    def _stand(self, name: str) -> None:
        if name == "delivery.claimed":
            self.claimed.set()
            assert self.go.wait(20)


def test_an_unsubscribe_is_acknowledged_only_when_no_request_can_start(esp, beside, settings, monkeypatch):
    settings.SEND_LEASE_SECONDS = 10
    message = making.message(making.contact("ada@example.com").pk)
    sender = PausedSender(monkeypatch, beside)
    answer = beside(suppress, "ada@example.com")
    wait_until(Suppression.objects.exists)
    time.sleep(0.1)
    assert not answer.done()  # it is stored, and the claimed request may still start
    sender.go.set()
    sender.done.result(10)
    acknowledged_at = answer.result(10)
    assert making.state(message) == "accepted"
    assert [each.at < acknowledged_at for each in esp.received] == [True]


def test_an_unsubscribe_waits_for_a_stopped_worker_no_longer_than_its_lease(esp, beside, settings, monkeypatch):
    settings.SEND_LEASE_SECONDS = 0.5
    message = making.message(making.contact("ada@example.com").pk)
    sender = PausedSender(monkeypatch, beside)
    suppress("ada@example.com")  # returns although the worker stands still
    sender.go.set()
    sender.done.result(10)
    assert esp.received == []
    monkeypatch.setattr(chaos, "point", lambda name: None)
    making.deliver()
    assert making.state(message) == "suppressed:unsubscribe" and esp.received == []


def test_a_sender_without_the_look_at_the_clock_would_write_after_the_acknowledgement(
    esp, beside, settings, monkeypatch
):
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "no_lease_check")
    settings.SEND_LEASE_SECONDS = 0.5
    making.message(making.contact("ada@example.com").pk)
    sender = PausedSender(monkeypatch, beside)
    acknowledged_at = suppress("ada@example.com")
    sender.go.set()
    sender.done.result(10)
    assert [each.at > acknowledged_at for each in esp.received] == [True]


def suppress(address: str) -> float:
    suppression.suppress(
        channel="email", address=address, scope="email", reason="unsubscribe", source="page", now=clock.now()
    )
    return time.monotonic()


def test_a_contact_that_moves_while_the_gate_waits_is_sent_to_the_new_address_or_not_yet(beside):
    who = making.contact("old@example.com")
    message = making.message(who.pk)
    with transaction.atomic():
        Contact.objects.filter(pk=who.pk).update(email="new@example.com")
        sender = beside(sending.deliver_batch, "urgent")
        wait_until(somebody_waits_for_a_lock)
    assert sender.result(10) is True
    assert making.log(message) == []  # its lock would have been the old address's
    making.deliver()
    assert [mail.to_address for mail in making.mails(message)] == ["new@example.com"]


def claim_while_a_withdrawal_is_being_committed(beside: Any) -> Message:
    who = contact_with_known_address("ada@example.com")
    message = making.message(who)
    with transaction.atomic():
        consent.record([Consent(who, "marketing", "denied")], source="preferences", now=clock.now())
        sender = beside(sending.deliver_batch, "urgent")
        wait_until(somebody_waits_for_a_lock)
    assert sender.result(10) is True
    return message


def test_a_gate_that_waited_for_a_withdrawal_of_consent_sees_it(beside):
    message = claim_while_a_withdrawal_is_being_committed(beside)
    assert making.state(message) == "suppressed:consent"
    assert making.mails(message) == []


def test_a_gate_that_reads_consent_before_it_locks_would_not(beside, monkeypatch):
    monkeypatch.setattr(chaos, "mutant", lambda name: name == "gate_reads_before_it_locks")
    assert making.state(claim_while_a_withdrawal_is_being_committed(beside)) == "accepted"


def test_withdrawals_of_the_same_people_in_any_order_wait_for_each_other_in_one_direction(beside):
    people = making.contacts(50)

    def withdraw(order: list[int]) -> None:
        for _ in range(5):
            with transaction.atomic():
                consent.record([Consent(who, "marketing", "denied") for who in order], source="api", now=clock.now())

    for work in [beside(withdraw, order) for order in (people, people[::-1], people, people[::-1])]:
        work.result(60)  # a deadlock would be raised here
    assert ConsentRecord.objects.count() == 4 * 5 * 50
