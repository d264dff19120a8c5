"""Doorbells and the sweeper: a bell that was lost is late, never lost."""

from __future__ import annotations

import pytest

from contacts import clock, doorbell
from delivery import sweep, tasks
from delivery.models import Feedback, WebhookDelivery
from tests.delivery import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch) -> list[tuple[str, str]]:
    bells: list[tuple[str, str]] = []
    monkeypatch.setattr(doorbell, "ring", lambda task, lane: bells.append((task, lane)))
    return bells


@pytest.mark.parametrize(("lane", "queue"), [("urgent", "delivery_urgent"), ("bulk", "delivery_bulk")])
def test_a_bell_on_a_queue_empties_its_lane(lane, queue, rung):
    messages = [making.message(lane=lane) for _ in range(3)]
    rung.clear()
    tasks.deliver(lane=queue)
    assert making.states(messages) == ["accepted"] * 3
    assert rung == []


def test_a_task_takes_whatever_a_newer_publisher_says():
    tasks.deliver(lane="delivery_urgent", something="new")
    tasks.fold_webhooks(lane="webhooks", something="new")


def test_a_slice_that_ends_too_early_rings_again(monkeypatch, rung):
    monkeypatch.setattr("contacts.doorbell.SLICE_SECONDS", 0.0)
    making.message()
    rung.clear()
    tasks.deliver(lane="delivery_urgent")
    assert rung == [("delivery.deliver", "delivery_urgent")]


def test_stored_webhooks_are_folded():
    WebhookDelivery.objects.create(provider="sendgrid", body=b'[{"event":"open"}]', received_at=clock.now())
    tasks.fold_webhooks(lane="webhooks")
    assert Feedback.objects.count() == 1


def test_the_sweeper_rings_where_work_waits_and_nowhere_else(rung):
    sweep.ring_where_work_waits(now=clock.now())
    assert rung == []
    making.message(lane="bulk")
    WebhookDelivery.objects.create(provider="sendgrid", body=b"[]", received_at=clock.now())
    rung.clear()
    sweep.ring_where_work_waits(now=clock.now())
    assert rung == [("delivery.deliver", "delivery_bulk"), ("delivery.fold_webhooks", "webhooks")]


def test_the_sweeper_ends_doubts(rung):
    message = making.message()
    making.change("UPDATE outbox SET state = 'sending', attempt = 1, address_id = 1, lease_until = %s", ["2020-01-01"])
    tasks.sweep()
    assert making.state(message) == "undetermined:deadline"
