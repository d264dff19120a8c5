"""What every test may ask for. Real PostgreSQL and Redis; each run has its own database and Redis prefix."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from django.db import connection

from contacts import redis_index

PARTITIONED = ("contact_events", "workflow_journal")  # made by SQL, so Django's flush passes them over


@pytest.fixture(autouse=True)
def _own_redis_prefix(settings):
    """Nothing that a test leaves in Redis meets another test or a running installation."""
    settings.REDIS_PREFIX = f"test:{os.getpid()}:"
    yield
    client = redis_index.connection()
    keys = list(client.scan_iter(match=f"test:{os.getpid()}:*", count=1000))
    if keys:
        client.delete(*keys)


@pytest.fixture
def now() -> datetime:
    """A fixed instant for everything that takes the clock as an argument."""
    return datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch, request):
    """Doorbells are silent unless a test asks to hear them: rows are the work, and tests take it themselves."""
    if "bells" not in request.fixturenames:
        monkeypatch.setattr("contacts.doorbell.ring", lambda task, lane: None)
        monkeypatch.setattr("contacts.doorbell.ring_at", lambda task, lane, instants: None)


@pytest.fixture(autouse=True)
def _partitioned_tables_are_emptied(request, django_db_blocker):
    """After tests that really commit."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if (marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(PARTITIONED)}")
