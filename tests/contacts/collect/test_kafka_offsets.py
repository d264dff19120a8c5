"""Offsets are moved on by whoever left them where they are, and by nobody else."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from contacts.collect.kafka import offsets
from contacts.collect.kafka.offsets import Moved, Step

GROUP, TOPIC = "carillon", "marketing.events"


def begin(now, *partitions, group=GROUP):
    with transaction.atomic():
        return offsets.begin(group, TOPIC, partitions, now=now)


def advance(now, steps):
    with transaction.atomic():
        offsets.advance(GROUP, TOPIC, {each: Step(*step) for each, step in steps.items()}, now=now)


@pytest.mark.django_db
def test_what_was_never_read_begins_at_the_beginning(now):
    assert begin(now, 2, 0) == {0: 0, 2: 0}


@pytest.mark.django_db
def test_reading_goes_on_where_it_ended(now):
    begin(now, 0, 1)
    advance(now, {0: (0, 7), 1: (0, 3)})
    advance(now, {1: (3, 4)})
    assert begin(now, 0, 1, 2) == {0: 7, 1: 4, 2: 0}


@pytest.mark.django_db
def test_each_group_reads_for_itself(now):
    begin(now, 0)
    advance(now, {0: (0, 7)})
    assert begin(now, 0, group="another") == {0: 0}


@pytest.mark.django_db
@pytest.mark.parametrize("stale", [0, 6, 8])
def test_whoever_left_it_elsewhere_moves_nothing(now, stale):
    begin(now, 0, 1)
    advance(now, {0: (0, 7)})
    with pytest.raises(Moved):
        advance(now, {0: (stale, 20), 1: (0, 5)})
    assert begin(now, 0, 1) == {0: 7, 1: 0}


@pytest.mark.django_db
def test_a_partition_that_nobody_began_moves_nowhere(now):
    with pytest.raises(Moved):
        advance(now, {0: (0, 7)})


@pytest.mark.django_db(transaction=True)
def test_of_two_who_move_it_at_once_one_is_sent_home(now):
    begin(now, 0)
    moved: list[str] = []
    first_holds = threading.Event()

    def second() -> None:
        first_holds.wait(10)
        try:
            advance(now, {0: (0, 9)})
            moved.append("second")
        except Moved:
            moved.append("sent home")
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    thread.start()
    with transaction.atomic():
        offsets.advance(GROUP, TOPIC, {0: Step(0, 7)}, now=now)
        first_holds.set()
        thread.join(0.3)
        assert thread.is_alive(), "the second did not wait for the first"
    thread.join(10)
    assert moved == ["sent home"]
    assert begin(now, 0) == {0: 7}
