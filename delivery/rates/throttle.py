"""How fast a provider may be called: one bucket of tokens for all processes, kept in Redis.

Tokens are taken before messages are claimed, so nobody waits while a lease runs. The bulk lane leaves half of the
bucket to the urgent one, so a campaign takes what is left over and never the welcome mail's turn. When Redis is away
each process keeps to the rate by itself: a little too fast for a while is better than silence.
"""

from __future__ import annotations

import logging
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


@dataclass(frozen=True)
class Grant:
    """`count` calls may be made now; with none, `wait` is how many seconds to wait before asking again."""

    count: int
    wait: float = 0.0


def take(provider: str, wanted: int, *, lane: str) -> Grant:
    """Up to `wanted` calls of the provider. Never raises, never waits."""
    spare = 0.0 if lane == "urgent" else (_capacity() - 1) / 2
    try:
        granted, wait_ms = _ask(provider, wanted, spare)
        return Grant(granted, wait_ms / 1000)
    except redis.RedisError as error:
        log.warning("throttle of %s kept by this process alone: %s", provider, type(error).__name__)
        return _local(provider).take(wanted, spare)


def give_back(provider: str, count: int) -> None:
    """Calls that were granted and not made."""
    if count <= 0:
        return
    try:
        _ask(provider, -count, 0.0)
    except redis.RedisError:
        _local(provider).give_back(count)


def _capacity() -> float:
    return max(1.0, settings.ESP_RATE_LIMIT * _BURST_SECONDS)


def _ask(provider: str, wanted: int, spare: float) -> tuple[int, int]:
    answer = _script()(
        keys=[redis_index.key(f"throttle:{provider}")],
        args=[settings.ESP_RATE_LIMIT, _capacity(), wanted, spare],
        client=redis_index.connection(),
    )
    return int(answer[0]), int(answer[1])


@cache
def _script() -> redis.commands.core.Script:
    return redis_index.connection().register_script(_SCRIPT.read_text())


class _LocalBucket:
    """The same bucket in this process's memory."""

    def __init__(self) -> None:
        self.tokens, self.at = _capacity(), time.monotonic()
        self._lock = threading.Lock()

    def take(self, wanted: int, spare: float) -> Grant:
        rate = settings.ESP_RATE_LIMIT
        with self._lock:
            now = time.monotonic()
            self.tokens = min(_capacity(), self.tokens + (now - self.at) * rate)
            self.at = now
            granted = min(wanted, max(0, int(self.tokens - spare)))
            self.tokens -= granted
            return Grant(granted, 0.0 if granted else (1 + spare - self.tokens) / rate)

    def give_back(self, count: int) -> None:
        with self._lock:
            self.tokens = min(_capacity(), self.tokens + count)


@cache
def _local(provider: str) -> _LocalBucket:
    return _LocalBucket()
