"""The bells of the ground floor."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.db import connection, transaction

from contacts import clock, doorbell, partitions

MAKE_PARTITIONS = "contacts.make_partitions"
_ONE_AT_A_TIME = "contacts.make_partitions"  # creating the same partition twice at once fails, and need not


@shared_task(name=MAKE_PARTITIONS)
def make_partitions(lane: str = "housekeeping", **_: Any) -> None:
    """Make the event log's partitions of the coming months, unless somebody else is doing it."""
    doorbell.answer(MAKE_PARTITIONS, lane)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [_ONE_AT_A_TIME])
        if cursor.fetchone()[0]:
            partitions.make_ahead(now=clock.now())
