"""The doorbell of the observatory."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from analytics import counters
from contacts import doorbell

FOLD = "analytics.fold"


@shared_task(name=FOLD)
def fold(lane: str = "housekeeping", **_: Any) -> None:
    """Fold the deltas of the counters until there are none."""
    doorbell.work_off(FOLD, lane, counters.fold)
