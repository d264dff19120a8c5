"""What every test may ask for. Real PostgreSQL and Redis; each run has its own database and Redis prefix."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import settings as examples

from contacts import redis_index

# `bin/test --hypothesis-profile full --timeout 0 tests/scoring`: the proofs that name no number of examples, at length
examples.register_profile("full", max_examples=2000, deadline=None)

PARTITIONED = ("contact_events", "workflow_journal")  # made by SQL, so Django does not know them
WRITTEN_BY_DJANGO = {"django_migrations", "django_content_type", "auth_permission"}


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


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_where_they_were_filled():
    """After a test that really commits, Django empties every table there is, and writes its permissions anew: a third
    of a second. Most tests fill five."""
    whole = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = _empty_what_was_filled  # type: ignore[method-assign]
    yield
    TransactionTestCase._fixture_teardown = whole  # type: ignore[method-assign]


def _empty_what_was_filled(self: TransactionTestCase) -> None:
    """TRUNCATE makes every file of a table and its indexes anew, and of its partitions: ten milliseconds each. A few
    rows are sooner deleted, with the triggers asleep, which refuse that; only a superuser may do so."""
    with connection.cursor() as cursor, transaction.atomic():
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        tables = sorted({*names, *PARTITIONED} - WRITTEN_BY_DJANGO)
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM {name} LIMIT 1)" for name in tables))
        filled = [name for (name,) in cursor.fetchall()]
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL statement_timeout = 0")
            for name in filled:
                cursor.execute(f"DELETE FROM {name}")
        elif filled:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
