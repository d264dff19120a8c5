"""Rows that are written for a contact while it is merged follow it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from contacts import clock, merging, tasks
from contacts.merging.stragglers import BATCH, NEWEST, rehome_recent
from contacts.models import ContactEvent
from contacts.signals import events_went_back
from tests.contacts.conftest import event, record
from tests.contacts.merging.conftest import merge, person, undo, whose

pytestmark = pytest.mark.django_db


def late(contact_id: int, now, *, recorded_for: int = 0) -> int:
    """An event that was written for a contact whom its transaction had found before the merge was committed, or undone:
    by that contact's own id, or by another one's."""
    record(event(recorded_for or contact_id, "late"), now=now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL carillon.guarded_path = 'on'")
        cursor.execute("UPDATE contact_events SET contact_id = %s WHERE type = 'late'", [contact_id])
        cursor.execute("SET LOCAL carillon.guarded_path = 'off'")
    return ContactEvent.objects.get(type="late").pk


def rehome(*contact_ids: int) -> int:
    with transaction.atomic():
        return merging.rehome(contact_ids, now=clock.now())


def test_what_came_late_follows_and_is_undone_with_the_merge(now):
    ada, other = person("ada"), person(anonymous_id="d")
    merge_id = merge(ada, other)
    row = late(other, now)
    assert rehome(ada) == 0  # nobody was merged into anybody but the other one
    assert rehome(other) == 1
    assert whose()["contact_events", row] == ada
    assert rehome(other) == 0
    undo(merge_id)
    assert whose()["contact_events", row] == other


def test_what_came_late_follows_through_several_merges(now):
    first, second, third = person("1"), person("2"), person("3")
    merge(second, first)
    merge(third, second)
    row = late(first, now)
    rehome(first)
    assert whose()["contact_events", row] == third


def test_nothing_follows_a_merge_that_was_undone(now):
    ada, other = person("ada"), person(anonymous_id="d")
    undo(merge(ada, other))
    row = late(other, now)
    assert rehome(other) == 0
    assert whose()["contact_events", row] == other


def test_the_sweep_looks_at_the_merges_of_the_last_while(now):
    ada, other = person("ada"), person(anonymous_id="d")
    merge(ada, other)
    row = late(other, now)
    with transaction.atomic():
        assert rehome_recent(since=clock.now() + timedelta(hours=1), now=clock.now()) is None
    assert whose()["contact_events", row] == other
    tasks.rehome()
    assert whose()["contact_events", row] == ada


def test_the_sweep_goes_through_all_of_them_a_batch_at_a_time(monkeypatch, now):
    monkeypatch.setattr("contacts.merging.stragglers.BATCH", 2)
    assert BATCH > 2
    rows = {}
    for n in range(5):
        ada, other = person(f"ada{n}"), person(anonymous_id=f"d{n}")
        merge(ada, other)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)"
                " VALUES ('anonymous_id', %s, %s, now()) RETURNING id",
                [f"late{n}", other],
            )
            rows["contact_identities", cursor.fetchone()[0]] = ada
    place, steps = NEWEST, 0
    while place is not None:
        with transaction.atomic():
            place = rehome_recent(since=clock.now() - timedelta(hours=1), before=place, now=clock.now())
        steps += 1
    assert steps == 3
    assert rows.items() <= whose().items()


def test_what_was_written_for_the_survivor_of_a_merge_that_was_undone_meanwhile_goes_back(now):
    ada, other = person("ada"), person(anonymous_id="d")
    undo(merge(ada, other))
    row = late(ada, now, recorded_for=other)
    with transaction.atomic():
        rehome_recent(since=clock.now() + timedelta(hours=1), now=clock.now())
    assert whose()["contact_events", row] == ada
    tasks.rehome()
    assert whose()["contact_events", row] == other


def test_it_goes_back_through_several_merges_and_to_whom_its_contact_lives_on_in_now(now):
    first, second, third, fourth = (person(f"{n}") for n in range(4))
    one = merge(second, first)
    undo(merge(third, second))
    undo(one)
    merge(fourth, first)
    row = late(third, now, recorded_for=first)
    tasks.rehome()
    assert whose()["contact_events", row] == fourth


def test_what_is_where_it_belongs_stays_there_though_a_merge_was_undone(now):
    ada, other = person("ada"), person(anonymous_id="d")
    undo(merge(ada, other))
    merge(ada, other)
    row = late(ada, now, recorded_for=other)
    with capture() as told:
        tasks.rehome()
    assert whose()["contact_events", row] == ada
    assert not told


def test_whoever_gets_or_loses_events_that_way_is_looked_at_again(now):
    ada, other = person("ada"), person(anonymous_id="d")
    undo(merge(ada, other))
    late(ada, now, recorded_for=other)
    with capture() as told:
        tasks.rehome()
        tasks.rehome()
    assert told == [(ada, other)]


@contextmanager
def capture() -> Iterator[list[tuple[int, ...]]]:
    """Who was told of as having another history now."""
    told: list[tuple[int, ...]] = []

    def hear(*, contact_ids: tuple[int, ...], **_: object) -> None:
        told.append(contact_ids)

    events_went_back.connect(hear)
    try:
        yield told
    finally:
        events_went_back.disconnect(hear)
