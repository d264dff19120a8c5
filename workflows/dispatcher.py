"""The timer dispatcher: looks when the next wait ends and rings the engine's doorbell then. Any number of them may run,
and none leads; the rows decide, so a bell too many or too early wakes nobody."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

import redis
from django.db import DatabaseError, connection

from contacts import chaos, clock, doorbell, restored
from workflows import sweep, timers

log = logging.getLogger(__name__)

LONGEST_SLEEP = 0.1  # seconds; a wait that begins meanwhile is noticed so soon
SHORTEST_SLEEP = 0.01  # and so long waits that end one after another are gathered for one bell
SWEEP_EVERY = 1.0


class Dispatcher:
    """`run_once` is one unit of work; the loop around it is dumb."""

    def __init__(self) -> None:
        self._next_sweep = 0.0
        self._next_beat = 0.0
        self._rebuild: threading.Thread | None = None

    def run_once(self) -> float:
        """Ring for what is due. Returns how many seconds to sleep before the next look."""
        if time.monotonic() >= self._next_beat:
            restored.beat()  # before anybody is rung for
            self._next_beat = time.monotonic() + restored.BEAT_SECONDS
        now = clock.now()
        sleep = LONGEST_SLEEP
        try:
            if not timers.is_complete() and not chaos.mutant("timers.redis_is_the_truth"):
                self._begin_rebuild(now)
            for lane in timers.LANES:
                sleep = min(sleep, self._lane(lane, now))
        except redis.RedisError as error:
            log.warning("the timer index is away (%s); PostgreSQL is asked instead", type(error).__name__)
        if time.monotonic() >= self._next_sweep:
            sweep.ring_everywhere(now=now)
            self._next_sweep = time.monotonic() + SWEEP_EVERY
        return sleep

    def join(self) -> None:
        """Wait until the index is rebuilt, if it is being rebuilt."""
        if self._rebuild is not None:
            self._rebuild.join()

    def _lane(self, lane: str, now: datetime) -> float:
        due = timers.claim_due(lane=lane, now=now)
        if due.claimed:
            chaos.point("dispatcher.claimed")
            doorbell.ring(timers.BELL, lane)
            timers.release(due, lane=lane)
        if due.claimed == timers.CLAIM_LIMIT:
            return 0.0
        if due.next_at is None:
            return LONGEST_SLEEP
        return max(SHORTEST_SLEEP, min(LONGEST_SLEEP, due.next_at - now.timestamp()))

    def _begin_rebuild(self, now: datetime) -> None:
        """Beside the loop: a million waits take seconds, in which others end and are rung for by the sweep."""
        if (self._rebuild is not None and self._rebuild.is_alive()) or timers.is_being_rebuilt():
            return
        self._rebuild = threading.Thread(target=_rebuild, args=[now], name="rebuild", daemon=True)
        self._rebuild.start()


def _rebuild(now: datetime) -> None:
    try:
        log.info("the timer index was empty; %s waits written", timers.rebuild(now=now))
    except timers.RebuildStopped:
        log.info("the timer index is rebuilt by somebody else, or was emptied again")
    except (redis.RedisError, DatabaseError) as error:
        log.warning("the timer index was not rebuilt: %s", type(error).__name__)
    finally:
        connection.close()
