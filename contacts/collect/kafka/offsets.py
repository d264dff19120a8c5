"""How far a group has read, kept beside what it read: moved on in the transaction that stores the events.

The broker's own offsets are for monitoring. Whoever was believed dead and wakes up (a zombie) finds that the offset
is no longer where it left it, and must let go of everything that it wanted to store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection


class Moved(Exception):
    """Somebody else has read on meanwhile: nothing of this batch may be stored."""


@dataclass(frozen=True)
class Step:
    """From the offset that must be stored now to the one to store."""

    expected: int
    following: int


def begin(group: str, topic: str, partitions: Iterable[int], *, now: datetime) -> dict[int, int]:
    """The next offset of each partition; 0 for one that the group has never read. Two statements."""
    wanted = sorted(partitions)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO kafka_offsets ("group", topic, partition, next_offset, updated_at)
            SELECT %s, %s, partition, 0, %s FROM unnest(%s::integer[]) AS new(partition) ORDER BY partition
            ON CONFLICT ("group", topic, partition) DO NOTHING
            """,
            [group, topic, now, wanted],
        )
        cursor.execute(
            """
            SELECT partition, next_offset FROM kafka_offsets
             WHERE "group" = %s AND topic = %s AND partition = ANY(%s)
            """,
            [group, topic, wanted],
        )
        return dict(cursor.fetchall())


def advance(group: str, topic: str, steps: Mapping[int, Step], *, now: datetime) -> None:
    """Compare and set, all or nothing: the rows stay locked until the caller's transaction ends. Raises Moved."""
    assert connection.in_atomic_block, "offsets move in the transaction of what was read"
    partitions = sorted(steps)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT FROM kafka_offsets WHERE "group" = %s AND topic = %s AND partition = ANY(%s)
             ORDER BY partition FOR UPDATE
            """,
            [group, topic, partitions],
        )
        cursor.execute(
            """
            UPDATE kafka_offsets o SET next_offset = new.following, updated_at = %s
              FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) AS new(partition, expected, following)
             WHERE o."group" = %s AND o.topic = %s AND o.partition = new.partition AND o.next_offset = new.expected
            """,
            [
                now,
                partitions,
                [steps[partition].expected for partition in partitions],
                [steps[partition].following for partition in partitions],
                group,
                topic,
            ],
        )
        if cursor.rowcount != len(partitions):
            raise Moved
