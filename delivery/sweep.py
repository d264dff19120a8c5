"""The sweeper: rings for work whose bell was lost."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from contacts import doorbell
from delivery import gate, notices
from delivery.outbox import LANES
from delivery.providers import CHANNELS


def ring_where_work_waits(*, now: datetime) -> None:
    for lane, queue in LANES.items():
        waits = any(gate.waiting(lane, channel=channel, limit=1, now=now) for channel in CHANNELS)
        if waits or notices.waiting(lane, now=now):
            doorbell.ring("delivery.deliver", queue)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM webhook_inbox WHERE folded_at IS NULL)")
        if cursor.fetchone()[0]:
            doorbell.ring("delivery.fold_webhooks", "webhooks")
