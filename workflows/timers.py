"""The index of wake times in Redis. `workflow_enrolments.wake_at` is the truth; this only tells the dispatcher when to
ring without asking PostgreSQL all the time. It may be lost at any moment and is rebuilt from the rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import redis
from django.db import connection

from contacts import redis_index

log = logging.getLogger(__name__)

LANES = ("urgent", "bulk")
POP_LIMIT = 1000
REBUILD_BATCH = 5000


@dataclass(frozen=True)
class Due:
    """What one look at the index found: `taken` members were due; the next one wakes at `next_at` (Unix seconds)."""

    taken: int
    next_at: float | None


def remember(waiting: Sequence[tuple[int, datetime]], *, lane: str) -> None:
    """Note wake times after the commit that made them. Never raises: the sweep finds what was not noted."""
    scores: dict[Any, float] = {str(enrolment_id): wake_at.timestamp() for enrolment_id, wake_at in waiting}
    try:
        redis_index.connection().zadd(_key(lane), scores)
    except redis.RedisError as error:
        log.warning("%s wake times not noted: %s", len(scores), type(error).__name__)


def pop_due(*, lane: str, now: datetime) -> Due:
    """Take what is due from the index. Raises redis.RedisError."""
    taken, next_score = cast("tuple[int, str]", _pop_script()(keys=[_key(lane)], args=[now.timestamp(), POP_LIMIT]))
    return Due(taken=int(taken), next_at=float(next_score) if next_score else None)


def is_complete() -> bool:
    """Whether the index was built since Redis was last emptied. Raises redis.RedisError."""
    return bool(redis_index.connection().exists(_epoch()))


def rebuild() -> int:
    """Write every waiting enrolment into the index, in a stream. Returns how many. Raises redis.RedisError."""
    client = redis_index.connection()
    count = 0
    for lane, rows in _waiting():
        client.zadd(_key(lane), dict(rows))
        count += len(rows)
    client.set(_epoch(), 1)
    return count


def _waiting() -> Iterator[tuple[str, list[tuple[Any, float]]]]:
    last_id = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, lane, wake_at FROM workflow_enrolments"
                " WHERE state = 'waiting' AND id > %s ORDER BY id LIMIT %s",
                [last_id, REBUILD_BATCH],
            )
            rows = cursor.fetchall()
        if not rows:
            return
        last_id = rows[-1][0]
        for lane in LANES:
            mine: list[tuple[Any, float]] = [(str(row[0]), row[2].timestamp()) for row in rows if row[1] == lane]
            if mine:
                yield lane, mine


def _key(lane: str) -> str:
    return redis_index.key(f"timers:{lane}")


def _epoch() -> str:
    return redis_index.key("timers:epoch")


@cache
def _pop_script() -> Any:
    text = (Path(__file__).parent / "lua" / "pop_due.lua").read_text(encoding="utf-8")
    return redis_index.connection().register_script(text)
