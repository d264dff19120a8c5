"""Furniture that is copied is what was built: row by row, key by key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from contacts import redis_index
from contacts.models import Contact
from tests import remembered
from tests.inhabited import inhabit

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def everything() -> dict[str, list[str]]:
    found = {}
    with connection.cursor() as cursor:
        for table in remembered.filled():
            cursor.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1")
            found[table] = [row for (row,) in cursor.fetchall()]
    return found


def twice(build, first: datetime, second: datetime) -> tuple[object, object]:
    """What it returned both times, with nothing of the first left at the second."""
    returned = []
    for now in (first, second):
        with transaction.atomic():
            returned.append((remembered.furnished(build.__qualname__, partial(build, now), now=now), everything()))
            transaction.set_rollback(True)
    return returned[0], returned[1]


def test_an_inhabited_installation_is_copied_whole():
    remembered._copies.clear()
    returned = []
    for later in (0, 59):
        with transaction.atomic():
            returned.append((inhabit(now=NOON + timedelta(seconds=later), contacts=12), everything()))
            transaction.set_rollback(True)
    (built, rows), (copied, copied_rows) = returned
    assert len(rows) > 30
    assert copied_rows == rows
    assert copied == built and copied.ana is not built.ana


@pytest.mark.parametrize("later", [timedelta(seconds=60), timedelta(hours=-1), timedelta(days=1)])
def test_what_is_a_minute_old_is_built_anew(later):
    def told(now: datetime) -> datetime:
        Contact.objects.create(email=f"{now.timestamp()}@example.com")
        return now

    assert [now for now, _ in twice(told, NOON, NOON + later)] == [NOON, NOON + later]


def test_across_the_hour_it_is_built_anew():
    def hourly(now: datetime) -> datetime:
        Contact.objects.create(email=f"{now.timestamp()}@example.com")
        return now

    late = NOON - timedelta(seconds=10)
    assert [now for now, _ in twice(hourly, late, NOON)] == [late, NOON]


def test_keys_in_redis_are_copied_with_their_time():
    def kept(now: datetime) -> None:
        Contact.objects.create(email="ana@example.com")
        index = redis_index.connection()
        index.set(redis_index.key("told"), "once", px=50_000)
        index.zadd(redis_index.key("due"), {"7": 1.5})

    remembered.furnished("kept", lambda: kept(NOON), now=NOON)
    Contact.objects.all().delete()
    index = redis_index.connection()
    index.delete(redis_index.key("told"), redis_index.key("due"))
    remembered.furnished("kept", lambda: pytest.fail("it was built again"), now=NOON)
    assert index.get(redis_index.key("told")) == "once" and 0 < index.pttl(redis_index.key("told")) <= 50_000
    assert index.zrange(redis_index.key("due"), 0, -1, withscores=True) == [("7", 1.5)]


def test_who_changes_what_stood_there_is_built_every_time():
    guests = Group.objects.create(name="Guests")
    calls = []

    def renames(now: datetime) -> None:
        Group.objects.filter(pk=guests.pk).update(name=f"Guests {len(calls)}")
        calls.append(now)

    for _ in range(2):
        remembered.furnished("renames", lambda: renames(NOON), now=NOON)
    assert len(calls) == 2
