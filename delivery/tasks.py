"""Doorbells of the post office: each answers, works in a slice of a few seconds, and rings again if there is more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import shared_task

from contacts import clock, doorbell
from delivery import feedback, in_doubt, sending
from delivery import sweep as sweeper
from delivery.outbox import LANES

SLICE_SECONDS = 20.0
_LANE_OF = {queue: lane for lane, queue in LANES.items()}


def _drain(work: Callable[[], bool]) -> bool:
    """Do one batch after another until there is none or the time is up. Returns whether there may be more."""
    until = time.monotonic() + SLICE_SECONDS
    while work():
        if time.monotonic() >= until:
            return True
    return False


@shared_task(name="delivery.deliver")
def deliver(*, lane: str = "delivery_urgent", **_: Any) -> None:
    doorbell.answer("delivery.deliver", lane)
    if _drain(lambda: sending.deliver_batch(_LANE_OF[lane])):
        doorbell.ring("delivery.deliver", lane)


@shared_task(name="delivery.fold_webhooks")
def fold_webhooks(*, lane: str = "webhooks", **_: Any) -> None:
    doorbell.answer("delivery.fold_webhooks", lane)
    if _drain(feedback.fold_batch):
        doorbell.ring("delivery.fold_webhooks", lane)


@shared_task(name="delivery.sweep")
def sweep(**_: Any) -> None:
    _drain(in_doubt.reap_batch)
    _drain(in_doubt.settle_batch)
    sweeper.ring_where_work_waits(now=clock.now())
