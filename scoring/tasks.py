"""Doorbells of the judge."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from contacts import doorbell, transactions
from scoring.crossings import checks, comparing, recheck


@shared_task(name=checks.BELL)
def check(lane: str = "urgent", **_: Any) -> None:
    """Compare everybody of a lane who is due; the bulk lane also goes on asking for checks after an activation."""
    doorbell.work_off(checks.BELL, lane, lambda: _compare(lane) or (lane == "bulk" and _ask()))


@shared_task(name="scoring.sweep")
def sweep(**_: Any) -> None:
    """Ring where a check is due and nobody was rung for."""
    for lane in transactions.run(lambda now: checks.due_lanes(now=now)):
        doorbell.ring(checks.BELL, lane)


def _compare(lane: str) -> bool:
    return transactions.run(lambda now: comparing.check_batch(now=now, lane=lane))


def _ask() -> bool:
    return transactions.run(lambda now: recheck.ask_batch(now=now))
