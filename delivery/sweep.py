"""The sweeper: rings for work whose bell was lost."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from contacts import doorbell
from delivery import due, frozen, notices
from delivery.outbox import LANES
from delivery.outgoing import endpoints, posting
from delivery.rates import routes


def ring_where_work_waits(*, now: datetime) -> None:
    classes = {channel: way.classes for channel, way in routes.ways(now=now).items() if way.classes}
    for lane, queue in LANES.items():
        if due.waiting(lane, classes=classes, limit=1, now=now) or notices.waiting(lane, now=now):
            doorbell.ring("delivery.deliver", queue)
    while frozen.is_work_waiting() and frozen.take_up_batch():
        pass
    if posting.is_due(now=now):
        doorbell.ring(endpoints.BELL, endpoints.LANE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM webhook_inbox WHERE folded_at IS NULL)")
        if cursor.fetchone()[0]:
            doorbell.ring("delivery.fold_webhooks", "webhooks")
