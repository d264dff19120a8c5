"""What every page of the admin says while everything stands still."""

from __future__ import annotations

import redis

from contacts import freezing, redis_index

GLANCE_SECONDS = 5


def reason() -> str:
    """Why everything is frozen, as it was at most GLANCE_SECONDS ago; empty: it is not."""
    try:
        kept = redis_index.connection().get(_key())
    except redis.RedisError:
        kept = None
    return str(kept) if kept is not None else look()


def look() -> str:
    """Ask now, and keep it. One statement."""
    said = freezing.names([each for each in freezing.standing() if each.workflow_id is None])
    try:
        redis_index.connection().set(_key(), said, ex=GLANCE_SECONDS)
    except redis.RedisError:
        return said  # it is asked again for the next page
    return said


def _key() -> str:
    return redis_index.key("frozen:reason")
