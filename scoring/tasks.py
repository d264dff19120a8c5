"""Doorbells of the judge."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from contacts import doorbell, transactions
from scoring.backtests import asking, running
from scoring.crossings import checks, comparing, recheck
from scoring.lifecycle import catching_up

log = logging.getLogger(__name__)


@shared_task(name=checks.BELL)
def check(lane: str = "urgent", **_: Any) -> None:
    """Compare everybody of a lane who is due; the bulk lane also goes on asking for checks after an activation."""
    doorbell.work_off(checks.BELL, lane, lambda: _compare(lane) or (lane == "bulk" and _ask()))


@shared_task(name="scoring.sweep")
def sweep(**_: Any) -> None:
    """Ring where a check is due and nobody was rung for."""
    for lane in transactions.run(lambda now: checks.due_lanes(now=now)):
        doorbell.ring(checks.BELL, lane)
    if running.waiting():
        doorbell.ring(asking.BELL, asking.LANE)
    transactions.run(lambda now: running.forget_batch(now=now))
    if catching_up.is_waiting():
        doorbell.ring(catching_up.BELL, catching_up.LANE)


@shared_task(name=catching_up.BELL)
def catch_up(lane: str = catching_up.LANE, **_: Any) -> None:
    """Apply progression rules to those whose cause came before them, some contacts at a time."""
    doorbell.work_off(catching_up.BELL, lane, lambda: transactions.run(lambda now: catching_up.work_batch(now=now)))


@shared_task(name=asking.BELL)
def backtest(lane: str = asking.LANE, **_: Any) -> None:
    """Try drafts on recorded history, some contacts at a time."""
    doorbell.work_off(asking.BELL, lane, _backtest)


def _backtest() -> bool:
    try:
        return transactions.run(lambda now: running.work_batch(now=now))
    except running.Stuck as stuck:
        # only its kind: what the database says may quote what it was given, and that is people's data
        log.error("back-test %s is stuck: %s", stuck.backtest_id, type(stuck.__cause__).__name__)
        reason = stuck
    transactions.run(lambda now: running.put_aside(reason, now=now))
    return True


def _compare(lane: str) -> bool:
    return transactions.run(lambda now: comparing.check_batch(now=now, lane=lane))


def _ask() -> bool:
    return transactions.run(lambda now: recheck.ask_batch(now=now))
