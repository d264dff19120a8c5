"""The bells of the ground floor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from contacts import tasks


@pytest.mark.django_db
def test_partitions_are_made_ahead_and_again_changes_nothing(monkeypatch):
    monkeypatch.setattr("contacts.tasks.clock.now", lambda: datetime(2031, 11, 5, tzinfo=UTC))
    tasks.make_partitions(lane="housekeeping")
    tasks.make_partitions(lane="housekeeping")
    with connection.cursor() as cursor:
        cursor.execute("SELECT relid::text FROM pg_partition_tree('contact_events') WHERE relid::text ~ '_203[12]_'")
        made = sorted(name for (name,) in cursor.fetchall())
    assert made == [f"contact_events_{month}" for month in ("2031_11", "2031_12", "2032_01", "2032_02")]
