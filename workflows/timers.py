"""The index of wake times in Redis. `workflow_enrolments.wake_at` is the truth; this only tells the dispatcher when to
ring without asking PostgreSQL all the time. It may be lost at any moment and is rebuilt from the rows."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import redis
from django.db import connection, transaction

from contacts import doorbell, outside, redis_index

log = logging.getLogger(__name__)

BELL = "workflows.advance"
LANES = ("urgent", "bulk")
CLAIM_LIMIT = 1000
LEASE = timedelta(seconds=2)  # a dispatcher that has claimed rings within milliseconds, or is dead
REBUILD_BATCH = 5000
REBUILD_LEASE_MS = 10_000

# Who the engine should resume, soonest first: those who are held are admission's, or wait for their journey to go on.
_WAITING = """
    SELECT id::text, extract(epoch FROM wake_at)::float8 FROM workflow_enrolments
     WHERE lane = %s AND state IN ('active', 'waiting') AND NOT held AND wake_at > %s ORDER BY wake_at
"""


class RebuildStopped(Exception):
    """Redis was emptied meanwhile, or somebody else began to rebuild the index."""


@dataclass(frozen=True)
class Due:
    """What one look at the index found: `claimed` members were due and are ours for the length of a lease; the next one
    wakes at `next_at` (Unix seconds)."""

    claimed: int
    next_at: float | None
    lease: str


def remember(waiting: Sequence[tuple[int, datetime]], *, lane: str) -> None:
    """Note wake times after the commit that made them; for those within the next minute Celery rings as well. Never
    raises: the sweep finds what was not noted."""
    if outside.is_closed():
        return
    scores: dict[Any, float] = {str(enrolment_id): wake_at.timestamp() for enrolment_id, wake_at in waiting}
    try:
        redis_index.connection().zadd(_key(lane), scores)
    except redis.RedisError as error:
        log.warning("%s wake times not noted: %s", len(scores), type(error).__name__)
    doorbell.ring_at(BELL, lane, scores.values())


def claim_due(*, lane: str, now: datetime) -> Due:
    """Take what is due from the index, on a lease: `release` it once the bell is rung. Raises redis.RedisError."""
    lease = repr((now + LEASE).timestamp())
    keys = [_key(lane), _claimed(lane)]
    claimed, next_score = cast(
        "tuple[int, str]", _claim_script()(keys=keys, args=[now.timestamp(), CLAIM_LIMIT, lease])
    )
    return Due(claimed=int(claimed), next_at=float(next_score) if next_score else None, lease=lease)


def release(due: Due, *, lane: str) -> None:
    """The bell was rung: from here on the rows speak for themselves, and the sweep for them. Raises RedisError."""
    redis_index.connection().zremrangebyscore(_claimed(lane), due.lease, due.lease)


def is_complete() -> bool:
    """Whether the index was built since Redis was last emptied. Raises redis.RedisError."""
    return bool(redis_index.connection().exists(_epoch()))


def is_being_rebuilt() -> bool:
    """Whether somebody is at it. Raises redis.RedisError."""
    return bool(redis_index.connection().exists(_rebuilder()))


def rebuild(*, now: datetime, tell: Callable[[int], None] = lambda count: None) -> int:
    """Write every wait that ends later than `now` into the index, in a stream, soonest first; what is due already is
    the sweep's. Whoever else rebuilds it stops. Returns how many. Not to be called inside a transaction.

    `tell` hears how many are written so far. Raises redis.RedisError, RebuildStopped."""
    client = redis_index.connection()
    mine = secrets.token_hex(8)
    client.set(_rebuilder(), mine, px=REBUILD_LEASE_MS)
    count = 0
    for lane, rows in _waiting(now):
        client.zadd(_key(lane), dict(rows))
        count += len(rows)
        _go_on(client, mine)
        tell(count)
    _go_on(client, mine)
    client.set(_epoch(), 1)
    client.delete(_rebuilder())
    return count


def count_waiting(*, now: datetime) -> int:
    """How many waits end later than `now`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM workflow_enrolments"
            " WHERE lane = ANY(%s) AND state IN ('active', 'waiting') AND NOT held AND wake_at > %s",
            [list(LANES), now],
        )
        return cursor.fetchone()[0]


def count_missing(*, now: datetime) -> int:
    """How many waits that end later than `now` the index does not know. Raises redis.RedisError."""
    client = redis_index.connection()
    missing = 0
    for lane, rows in _waiting(now):
        known = cast("list[float | None]", client.zmscore(_key(lane), [member for member, _ in rows]))
        missing += sum(score is None for score in known)
    return missing


def _go_on(client: redis.Redis, mine: str) -> None:
    """What was written before Redis was emptied is gone, so whoever goes on must not call the index complete."""
    if client.get(_rebuilder()) != mine:
        raise RebuildStopped
    client.pexpire(_rebuilder(), REBUILD_LEASE_MS)


def _waiting(now: datetime) -> Iterator[tuple[str, list[tuple[Any, float]]]]:
    """From one snapshot for each lane: whoever begins to wait later notes it."""
    for lane in LANES:
        with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
            cursor.execute(_WAITING, [lane, now])
            while rows := cursor.fetchmany(REBUILD_BATCH):
                yield lane, rows


def _key(lane: str) -> str:
    return redis_index.key(f"timers:{lane}")


def _claimed(lane: str) -> str:
    return redis_index.key(f"timers:{lane}:claimed")


def _epoch() -> str:
    return redis_index.key("timers:epoch")


def _rebuilder() -> str:
    return redis_index.key("timers:rebuilder")


@cache
def _claim_script() -> Any:
    text = (Path(__file__).parent / "lua" / "claim_due.lua").read_text(encoding="utf-8")
    return redis_index.connection().register_script(text)
