"""Doorbells of the engine: each answers, works in slices of a few seconds, and rings again if there is more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import shared_task

from contacts import clock, doorbell
from workflows import engine, intake, partitions
from workflows import sweep as sweeper

SLICE_SECONDS = 20.0


def drain(work: Callable[[], bool], *, seconds: float = SLICE_SECONDS) -> bool:
    """Do one batch after another until there is none or the time is up. Returns whether there may be more."""
    until = time.monotonic() + seconds
    while work():
        if time.monotonic() >= until:
            return True
    return False


@shared_task(name="workflows.intake")
def match(lane: str = "urgent", **_: Any) -> None:
    doorbell.answer("workflows.intake", lane)
    if drain(lambda: intake.match_batch(lane=lane)):
        doorbell.ring("workflows.intake", lane)


@shared_task(name="workflows.advance")
def advance(lane: str = "urgent", **_: Any) -> None:
    doorbell.answer("workflows.advance", lane)
    if drain(lambda: engine.advance_batch(lane=lane)):
        doorbell.ring("workflows.advance", lane)


@shared_task(name="workflows.sweep")
def sweep(**_: Any) -> None:
    sweeper.ring_where_work_waits(now=clock.now())


@shared_task(name="workflows.make_partitions")
def make_partitions(**_: Any) -> None:
    partitions.make_ahead()
