"""Queues are counted in their indexes, and no further than is worth it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from analytics.health import queues
from contacts import clock
from contacts.models import PendingEvent
from delivery.models import OutboxEntry
from tests import journeys
from tests.journeys import definition, step
from workflows.models import Enrolment, Workflow

pytestmark = pytest.mark.django_db(transaction=True)


def queue(name: str, lane: str, now) -> queues.Queue:
    return next(found for found in queues.read(now=now) if (found.name, found.lane) == (name, lane))


def test_no_queue_is_counted_further_than_is_said(now, monkeypatch):
    monkeypatch.setattr(queues, "COUNTED", 40)
    PendingEvent.objects.bulk_create(
        PendingEvent(event_id=n, recorded_at=now - timedelta(seconds=n), lane="urgent", shard=n % 16) for n in range(60)
    )
    PendingEvent.objects.bulk_create(
        PendingEvent(event_id=n, recorded_at=now, lane="bulk", shard=n % 16) for n in range(100, 139)
    )
    urgent, bulk = queue("events", "urgent", now), queue("events", "bulk", now)
    assert (urgent.depth, urgent.is_more) == (40, True)
    assert (bulk.depth, bulk.is_more) == (39, False)


def test_the_oldest_event_is_the_oldest_of_all_shards(now):
    for shard, seconds in ((0, 5), (7, 50), (15, 20)):
        PendingEvent.objects.create(
            event_id=100 + shard, recorded_at=now - timedelta(seconds=seconds), lane="bulk", shard=shard
        )
    assert queue("events", "bulk", now).age == 50


def test_messages_are_counted_whatever_their_priority_class_and_channel(lived):
    """All that the claim takes, and nothing that is due later."""
    rows = list(OutboxEntry.objects.order_by("pk"))
    for row, (channel, message_class, priority) in zip(
        rows,
        (
            ("email", "marketing", 1),
            ("email", "transactional", 10),
            ("sms", "marketing", 5),
            ("push", "marketing", 5),
            ("push", "transactional", 9),
        ),
        strict=False,
    ):
        OutboxEntry.objects.filter(pk=row.pk).update(channel=channel, message_class=message_class, priority=priority)
    now = clock.now()
    assert queue("messages", "urgent", now).depth == 6
    OutboxEntry.objects.filter(pk=rows[0].pk).update(due_at=now - timedelta(hours=1))
    OutboxEntry.objects.filter(pk=rows[-1].pk).update(due_at=now + timedelta(hours=1))
    found = queue("messages", "urgent", now)
    assert (found.depth, found.age) == (5, 3600.0)


def test_who_wants_a_place_is_counted_over_all_workflows():
    for slug in ("one", "two"):
        journeys.publish(
            definition(
                {"end": step("wait", mode="duration", **{"for": "P1D"})}, slug=slug, settings={"concurrency_cap": 1}
            )
        )
    journeys.track(journeys.contacts(3), "signed_up")
    journeys.run()
    assert Enrolment.objects.filter(state="waiting").count() == 6
    now = clock.now()
    assert queue("admission", "urgent", now).depth == 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflow_enrolments SET wake_at = %s WHERE state = 'waiting'", [now - timedelta(hours=2)]
        )
        cursor.execute(
            "UPDATE workflow_enrolments SET state = 'pending', held = false, entered_at = %s, waiting_since = NULL"
            " WHERE workflow_id = (SELECT id FROM workflows WHERE slug = 'two')",
            [now - timedelta(hours=3)],
        )
    found = queue("admission", "urgent", now)
    assert (found.depth, found.age, found.late) == (6, 10_800.0, True)


def test_of_due_enrolments_only_those_of_the_paused_workflow_are_left_out(lived):
    journeys.publish(definition({"end": step("wait", mode="duration", **{"for": "P1D"})}, slug="other"))
    journeys.track([journeys.contact("new@example.com").pk], "signed_up", key="third")
    journeys.run()
    journeys.wake_all()
    Workflow.objects.filter(slug="journey").update(status="paused")
    assert queue("enrolments", "urgent", clock.now()).depth == 1
