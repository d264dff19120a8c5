"""How far a slow walk through a table has come. A hint in Redis: without it, the walk begins at the first row."""

from __future__ import annotations

from contextlib import suppress

import redis

from contacts import redis_index


def reached(walk: str) -> int:
    """The id of the last row that was looked at; 0: none."""
    try:
        return int(str(redis_index.connection().get(_key(walk)) or 0))
    except redis.RedisError:
        return 0


def note(walk: str, row_id: int) -> None:
    with suppress(redis.RedisError):
        redis_index.connection().set(_key(walk), row_id)


def _key(walk: str) -> str:
    return redis_index.key(f"place:{walk}")
