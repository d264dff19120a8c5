"""How fast a provider may be called, and how fast a domain may send: a bucket of tokens each for all processes, kept in
Redis.

Tokens are taken before messages are claimed, so nobody waits while a lease runs. The bulk lane leaves half of the
bucket to the urgent one, so a campaign takes what is left over and never the welcome mail's turn. When Redis is away
each process keeps to the rate by itself: a little too fast for a while is better than silence. The rates are of the
world outside: TIME_SPEED makes nothing faster.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import redis
from django.conf import settings

from contacts import redis_index

log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).parent / "lua" / "take_tokens.lua"
_BURST_SECONDS = 0.1  # what an idle bucket holds: no second sees more than 1.1 times the rate
_DOMAIN = "from "  # no provider is called so


@dataclass(frozen=True)
class Grant:
    """`count` calls may be made now; with none, `wait` is how many seconds to wait before asking again."""

    count: int
    wait: float = 0.0


def of_domain(domain: str) -> str:
    """The name of the bucket of a domain that mail is sent from."""
    return _DOMAIN + domain


def rate(bucket: str) -> float | None:
    """Messages a second. A provider always has a rate; a domain only where SENDING_DOMAIN_RATES names it."""
    if bucket.startswith(_DOMAIN):
        return settings.SENDING_DOMAIN_RATES.get(bucket.removeprefix(_DOMAIN))
    return settings.PROVIDER_RATES.get(bucket, float(settings.ESP_RATE_LIMIT))


def take(bucket: str, wanted: int, *, lane: str) -> Grant:
    """Up to `wanted` calls of the provider (or mails of the domain: `of_domain`). Never raises, never waits."""
    spare = 0.0 if lane == "urgent" else (_capacity(bucket) - 1) / 2
    try:
        granted, wait_ms = _ask(bucket, wanted, spare)
        return Grant(granted, wait_ms / 1000)
    except redis.RedisError as error:
        log.warning("throttle of %s kept by this process alone: %s", bucket, type(error).__name__)
        return _local(bucket).take(wanted, spare)


def give_back(bucket: str, count: int) -> None:
    """Calls that were granted and not made."""
    if count <= 0:
        return
    try:
        _ask(bucket, -count, 0.0)
    except redis.RedisError:
        _local(bucket).give_back(count)


def hold(bucket: str, seconds: float) -> None:
    """Nothing is granted for so long: the provider said so. A longer hold stays."""
    _local(bucket).hold(seconds)
    try:
        milliseconds = max(1, math.ceil(seconds * 1000))
        held = redis_index.connection().pipeline()
        held.set(_held(bucket), 1, px=milliseconds, nx=True)
        held.pexpire(_held(bucket), milliseconds, gt=True)
        held.execute()
    except redis.RedisError as error:
        log.warning("hold of %s kept by this process alone: %s", bucket, type(error).__name__)


def _rate(bucket: str) -> float:
    return rate(bucket) or float(settings.ESP_RATE_LIMIT)


def _capacity(bucket: str) -> float:
    return max(1.0, _rate(bucket) * _BURST_SECONDS)


def _held(bucket: str) -> str:
    return redis_index.key(f"throttle:{bucket}:held")


def _ask(bucket: str, wanted: int, spare: float) -> tuple[int, int]:
    answer = _script()(
        keys=[redis_index.key(f"throttle:{bucket}"), _held(bucket)],
        args=[_rate(bucket), _capacity(bucket), wanted, spare],
        client=redis_index.connection(),
    )
    return int(answer[0]), int(answer[1])


@cache
def _script() -> redis.commands.core.Script:
    return redis_index.connection().register_script(_SCRIPT.read_text())


class _LocalBucket:
    """The same bucket in this process's memory."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.tokens, self.at = _capacity(bucket), time.monotonic()
        self.held_until = 0.0
        self._lock = threading.Lock()

    def take(self, wanted: int, spare: float) -> Grant:
        rate = _rate(self.bucket)
        with self._lock:
            now = time.monotonic()
            if now < self.held_until:
                return Grant(0, self.held_until - now)
            self.tokens = min(_capacity(self.bucket), self.tokens + (now - self.at) * rate)
            self.at = now
            granted = min(wanted, max(0, int(self.tokens - spare)))
            self.tokens -= granted
            return Grant(granted, 0.0 if granted else (1 + spare - self.tokens) / rate)

    def give_back(self, count: int) -> None:
        with self._lock:
            self.tokens = min(_capacity(self.bucket), self.tokens + count)

    def hold(self, seconds: float) -> None:
        with self._lock:
            self.held_until = max(self.held_until, time.monotonic() + seconds)


@cache
def _local(bucket: str) -> _LocalBucket:
    return _LocalBucket(bucket)
