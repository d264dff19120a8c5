"""How many events one address may send with one browser's key: a bucket of tokens in Redis, one token an event.

Far more than any visitor needs, also from behind one address of a whole office; a script that fills the log with
rubbish has to take its time. When Redis is away each process keeps count by itself: events are worth more than an exact
limit.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from collections import OrderedDict
from time import monotonic

import redis
from django.conf import settings

from contacts import buckets

log = logging.getLogger(__name__)

BURST_SECONDS = 50  # what an idle bucket holds: this many seconds' worth

_MOST_LOCAL = 10_000  # buckets in the memory of a process; the one that was used longest ago makes room


def wait_for(key_id: int, address: str, events: int) -> int:
    """Take the tokens for that many events. 0: taken; else how many whole seconds to wait before asking again. Never
    raises, never waits."""
    try:
        name = f"quota:{key_id}:{_unnamed(address)}"
        rate = settings.BROWSER_EVENTS_PER_SECOND
        return buckets.take(name, rate=rate, capacity=_capacity(), wanted=events).wait
    except redis.RedisError as error:
        log.warning("quota of a write key kept by this process alone: %s", type(error).__name__)
        return math.ceil(_local.wait_for(f"{key_id}:{address}", events))


def _unnamed(address: str) -> str:
    """Addresses are people's: what stands in Redis for a minute does not tell them."""
    return hashlib.blake2b(address.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=12).hexdigest()


def _capacity() -> int:
    return settings.BROWSER_EVENTS_PER_SECOND * BURST_SECONDS


class LocalBuckets:
    """The same buckets in this process's memory."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_for(self, name: str, events: int) -> float:
        rate, capacity = settings.BROWSER_EVENTS_PER_SECOND, float(_capacity())
        needed = min(float(events), capacity)
        with self._lock:
            now = monotonic()
            tokens, at = self._buckets.pop(name, (capacity, now))
            tokens = min(capacity, tokens + (now - at) * rate)
            granted = tokens >= needed
            self._buckets[name] = (tokens - needed if granted else tokens, now)
            if len(self._buckets) > _MOST_LOCAL:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (needed - tokens) / rate


_local = LocalBuckets()
