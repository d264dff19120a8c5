"""What the menu says beside queue health, on every page: how many queues are late and processes silent."""

from __future__ import annotations

import redis
from django.conf import settings
from django.http import HttpRequest

from analytics.health import queues
from contacts import clock, heartbeat, redis_index

GLANCE_SECONDS = 10


def trouble_count(request: HttpRequest) -> str:
    """As it was at most GLANCE_SECONDS ago; empty: none, or nothing that this user may see."""
    if not request.user.has_perm("analytics.view_latency"):
        return ""
    try:
        kept = redis_index.connection().get(_key())
    except redis.RedisError:
        kept = None
    count = int(str(kept)) if kept is not None else look()
    return str(count) if count else ""


def look() -> int:
    """Count now, and keep it. One statement, and a question to Redis."""
    late = sum(queue.late for queue in queues.read(now=clock.now()))
    try:
        count = late + len(heartbeat.missing(settings.HEARTBEATS))
    except redis.RedisError:
        return late + 1  # Redis itself, by which processes are heard of
    keep(count)
    return count


def keep(count: int) -> None:
    """Whoever has just counted, as the page itself does every few seconds, says so: the menu agrees with the page."""
    try:
        redis_index.connection().set(_key(), count, ex=GLANCE_SECONDS)
    except redis.RedisError:
        return  # it is counted again the next time


def _key() -> str:
    return redis_index.key("queue-health:trouble")
