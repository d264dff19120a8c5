"""Doorbells of the engine."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from contacts import clock, doorbell
from workflows import engine, intake, partitions, retention
from workflows import sweep as sweeper


@shared_task(name="workflows.intake")
def match(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off("workflows.intake", lane, lambda: intake.match_batch(lane=lane))


@shared_task(name="workflows.advance")
def advance(lane: str = "urgent", **_: Any) -> None:
    doorbell.work_off("workflows.advance", lane, lambda: engine.advance_batch(lane=lane))


@shared_task(name="workflows.sweep")
def sweep(**_: Any) -> None:
    sweeper.ring_where_work_waits(now=clock.now())


@shared_task(name="workflows.tidy")
def tidy(lane: str = "housekeeping", **_: Any) -> None:
    doorbell.work_off("workflows.tidy", lane, lambda: retention.prune_triggers(now=clock.now()))


@shared_task(name="workflows.make_partitions")
def make_partitions(**_: Any) -> None:
    partitions.make_ahead()
