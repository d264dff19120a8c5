"""The driver: answers the doorbells of a scratch one after another, with the production tasks, until nothing is due.

What no bell told of is found by the production sweeps, as it would be after a lost bell. So a new kind of work needs no
word here: it has a task, a bell and a place in the sweep, or it would not work in production either."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from celery import current_app
from django.db import transaction
from django.utils.module_loading import autodiscover_modules

from contacts import outside
from workflows import sweep

# In the order in which news travels; a task that is not named here comes after those that are, by its name.
ORDER = (
    "delivery.fold_webhooks",
    "contacts.check_segments",
    "scoring.check",
    "workflows.intake",
    "workflows.advance",
    "delivery.deliver",
)
# Housekeeping of the live installation: what it would do changes no journey.
IDLE = frozenset({"analytics.fold", "contacts.fold_tallies", "contacts.make_partitions", "contacts.import_runs"})
MOST_ROUNDS = 10_000  # at one instant


class Restless(Exception):
    """Work makes work at one instant, without end."""


class Driver:
    """Deterministic: the same rows and the same bells lead to the same deeds in the same order."""

    def __init__(self, noted: outside.Noted) -> None:
        self._noted = noted
        autodiscover_modules("tasks")

    def settle(self, *, now: datetime) -> None:
        """Answer every bell, then ask the sweeps, until both are silent."""
        for _ in range(MOST_ROUNDS):
            self.answer()
            before = self._noted.batches
            sweep.ring_everywhere(now=now)
            self.answer()
            if self._noted.batches == before:
                return
        raise Restless(f"at {now.isoformat()} there is always something more to do")

    def forget(self) -> None:
        """Bells that were rung for rows that are gone."""
        self._noted.bells.clear()

    def answer(self) -> None:
        """Answer every bell, and those that ring meanwhile."""
        for _ in range(MOST_ROUNDS):
            waiting = sorted((bell for bell in self._noted.bells if bell[0] not in IDLE), key=_rank)
            if not waiting:
                self._noted.bells.clear()
                return
            task, lane = waiting[0]
            self._noted.bells.discard((task, lane))
            assert not transaction.get_connection().in_atomic_block, "work is done outside any transaction"
            current_app.tasks[task](lane=lane)
        raise Restless("doorbells ring without end")


def _rank(bell: tuple[str, str]) -> tuple[Any, ...]:
    """Places in ORDER first; of one task, the urgent lane before the bulk one."""
    task, lane = bell
    place = ORDER.index(task) if task in ORDER else len(ORDER)
    return place, task, "bulk" in lane, lane
