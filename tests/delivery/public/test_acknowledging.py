"""Choices are acknowledged like suppressions: once the page answers, no request that they forbid can start."""

from __future__ import annotations

import time

import pytest
from django.db import connection, transaction
from django.test import Client

from contacts import clock
from delivery import addresses, ledger
from delivery.models import OutboxEntry, SendLogEntry, Suppression
from delivery.public import unsubscribing
from delivery.webhooks import feedback
from tests.delivery import making
from tests.delivery.test_gate_races import PausedSender, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "form",
    [
        {"all_off": "1"},
        {"form": "preferences", "channel": "email", "everything_else": "1"},  # its topic alone
        {"form": "preferences", "topic": "news", "everything_else": "1"},  # its channel alone
    ],
)
def test_a_choice_is_answered_only_when_no_request_that_it_forbids_can_start(form, esp, beside, settings, monkeypatch):
    settings.SEND_LEASE_SECONDS, settings.TOPICS = 10, {"news": "News"}
    message = making.message(making.contact("ada@example.com").pk, topic="news")
    path = f"/preferences/{unsubscribing.token_of(str(message.public_id))}"
    sender = PausedSender(monkeypatch, beside)
    answer = beside(Client().post, path, form)
    wait_until(lambda: Suppression.objects.exists())
    time.sleep(0.1)
    assert not answer.done()  # it is committed, and the claimed request may still start
    sender.go.set()
    sender.done.result(10)
    assert answer.result(10).status_code == 200
    assert len(esp.received) == 1
    later = making.message(message.contact_id, topic="news", override_cap=True)
    making.deliver()
    assert making.state(later) == "suppressed:unsubscribe"
    assert len(esp.received) == 1


def in_doubt_of(address: str) -> tuple[making.Message, int]:
    message = making.message(making.contact(address).pk)
    making.deliver()
    address_id = SendLogEntry.objects.filter(message=message, kind="claimed").values_list("address_id", flat=True)[0]
    now = clock.now()
    OutboxEntry.objects.create(
        message=message, state="in_doubt", lane="urgent", priority=5, contact_id=message.contact_id,
        address_id=address_id, attempt=1, due_at=now, claimed_at=now, lease_until=now,
    )  # fmt: skip
    return message, address_id


def test_an_unsubscription_and_a_repetition_of_its_message_wait_for_each_other_in_one_order(beside):
    """Whoever sends a doubtful message again holds its address, and then its row of the outbox."""
    message, address_id = in_doubt_of("ada@example.com")
    with transaction.atomic():
        addresses.lock([address_id])
        answer = beside(Client().post, f"/u/{unsubscribing.token_of(str(message.public_id))}")
        wait_until(somebody_waits_for_a_lock)
        ledger.lock_open([message.pk])
    assert answer.result(10).status_code == 200
    assert Suppression.objects.get().reason == "unsubscribe"


def test_an_undoing_and_a_report_of_its_message_wait_for_each_other_in_one_order(beside):
    """Whoever folds a report holds its message, and then the address that something follows for."""
    message, address_id = in_doubt_of("ada@example.com")
    path = f"/u/{unsubscribing.token_of(str(message.public_id))}"
    Client().post(path)
    with transaction.atomic():
        feedback._lock_messages({str(message.public_id)}, bounced=set())
        answer = beside(Client().post, path, {"undo": "1"})
        wait_until(somebody_waits_for_a_lock)
        addresses.lock([address_id])
    assert answer.result(10).status_code == 200
    assert not Suppression.objects.filter(released_at=None).exists()


def test_a_lock_that_was_not_to_be_had_at_once_loses_no_unsubscription(beside):
    """A mail program asks once and shows no answer to anybody."""
    message, address_id = in_doubt_of("ada@example.com")
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] != "0", "a wait that ends is what this is about"

    def impatient(token: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        unsubscribing.unsubscribe(token, source="one_click", now=clock.now())

    with transaction.atomic():
        addresses.lock([address_id])
        asked = beside(impatient, unsubscribing.token_of(str(message.public_id)))
        time.sleep(0.15)
    asked.result(10)
    assert Suppression.objects.get().reason == "unsubscribe"
