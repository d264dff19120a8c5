"""The timer dispatcher: looks when the next wait ends and rings the engine's doorbell then. Any number of them may run;
the rows decide, so a bell too many or too early wakes nobody."""

from __future__ import annotations

import logging
import time
from datetime import datetime

import redis

from contacts import clock, doorbell
from workflows import sweep, timers

log = logging.getLogger(__name__)

LONGEST_SLEEP = 0.1  # seconds; a wait that begins meanwhile is noticed so soon
SWEEP_EVERY = 1.0


class Dispatcher:
    """`run_once` is one unit of work; the loop around it is dumb."""

    def __init__(self) -> None:
        self._next_sweep = 0.0

    def run_once(self) -> float:
        """Ring for what is due. Returns how many seconds to sleep before the next look."""
        now = clock.now()
        sleep = LONGEST_SLEEP
        try:
            if not timers.is_complete():
                log.info("the timer index was empty; %s waits written", timers.rebuild())
            for lane in timers.LANES:
                sleep = min(sleep, self._lane(lane, now))
        except redis.RedisError as error:
            log.warning("the timer index is away (%s); PostgreSQL is asked instead", type(error).__name__)
        if time.monotonic() >= self._next_sweep:
            sweep.ring_everywhere(now=now)
            self._next_sweep = time.monotonic() + SWEEP_EVERY
        return sleep

    def _lane(self, lane: str, now: datetime) -> float:
        due = timers.pop_due(lane=lane, now=now)
        if due.taken:
            doorbell.ring("workflows.advance", lane)
        if due.taken == timers.POP_LIMIT:
            return 0.0
        if due.next_at is None:
            return LONGEST_SLEEP
        return max(0.0, min(LONGEST_SLEEP, due.next_at - now.timestamp()))
