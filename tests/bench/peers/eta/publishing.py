"""Publishes waits, in a process of its own, as whoever starts them would."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.bench.peers.eta import tasks


def publish(count: float, at: float, every: float) -> None:
    """`count` tasks that are due from `at` on (Unix seconds), one each `every` seconds."""
    with tasks.app.producer_pool.acquire(block=True) as producer:
        for number in range(int(count)):
            due = at + number * every
            tasks.wake.apply_async(args=[due], eta=datetime.fromtimestamp(due, UTC), producer=producer)
