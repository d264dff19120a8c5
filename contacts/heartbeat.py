"""The heartbeat of a long-running process: a key in Redis that a thread renews for as long as the main loop keeps
turning. It stops within seconds of the process's death, and once the loop has stood still for STALLED_SECONDS, so that
a process which lives but does nothing is seen like a dead one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, cast

import redis

from contacts import redis_index

log = logging.getLogger(__name__)

STALLED_SECONDS = 60.0  # three times the longest slice of a task: whoever is busy is not taken for stuck
EVERY_SECONDS = 2.0
EXPIRES_MS = 10_000


class Heartbeat:
    """`start()` once, then `turn()` on every round of the main loop. Threads of its own; never raises."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.turned = time.monotonic()
        self._stopped = threading.Event()

    def start(self) -> Heartbeat:
        self.turn()
        threading.Thread(target=self._run, name=f"heartbeat {self.name}", daemon=True).start()
        return self

    def turn(self) -> None:
        """The main loop came round."""
        self.turned = time.monotonic()

    def stop(self) -> None:
        """No more beats from this process; the key expires by itself (another process may be renewing it)."""
        self._stopped.set()

    def beat(self) -> bool:
        """Renew the key unless the loop stands still. Whether it was renewed."""
        if time.monotonic() - self.turned > STALLED_SECONDS:
            return False
        try:
            redis_index.connection().set(_key(self.name), 1, px=EXPIRES_MS)
        except redis.RedisError as error:
            log.debug("heartbeat of %s not written: %s", self.name, type(error).__name__)
            return False
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.beat()
            self._stopped.wait(EVERY_SECONDS)


def missing(names: Sequence[str]) -> list[str]:
    """Those of `names` that no process beats for. Raises redis.RedisError."""
    if not names:
        return []
    values = cast("list[Any]", redis_index.connection().mget([_key(name) for name in names]))
    return [name for name, value in zip(names, values, strict=True) if value is None]


def _key(name: str) -> str:
    return redis_index.key(f"heartbeat:{name}")
