"""The connection to Redis, which holds indexes and hints only: it may be emptied at any time with nothing lost."""

from __future__ import annotations

from functools import cache

import redis
from django.conf import settings

from contacts import outside


def connection() -> redis.Redis:
    """One pooled client per process. Fails fast: whoever uses it has a way on without it."""
    outside.check_open()
    return _client()


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_timeout=2, socket_connect_timeout=1, health_check_interval=30
    )


def key(name: str) -> str:
    """The name under this installation's prefix (tests and simulations use their own)."""
    return f"{settings.REDIS_PREFIX}{name}"
