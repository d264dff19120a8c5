"""Runs of the warehouse as rows: asked for, taken by one process, told of step by step, ended, or found dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from analytics.models import WarehouseRun

KINDS = ("nightly", "by_hand", "full_refresh")
SILENT = timedelta(minutes=3)  # a process gives a sign of life every few seconds, whatever it waits for
ATTEMPTS = 3
KEPT = 400  # runs


class RunInProgress(Exception):
    """There is one already that waits or runs; `run_id` is its."""

    def __init__(self, run_id: int) -> None:
        super().__init__(f"run {run_id} is not over yet")
        self.run_id = run_id


def ask(kind: str, *, now: datetime, by: str = "", night: date | None = None) -> int | None:
    """A new run, waiting to be taken; returns its id. None: this night has had its run. Raises RunInProgress."""
    try:
        with transaction.atomic():
            return WarehouseRun.objects.create(kind=kind, night=night, requested_at=now, requested_by=by).pk
    except IntegrityError:
        if night is not None and had(night):
            return None
        current = WarehouseRun.objects.filter(state__in=["queued", "running"]).first()
        if current is None:
            return ask(kind, now=now, by=by, night=night)  # it has just ended
        raise RunInProgress(current.pk) from None


def had(night: date) -> bool:
    """Whether this night's run was asked for."""
    return WarehouseRun.objects.filter(kind="nightly", night=night).exists()


def take(run_id: int, *, rules: str, now: datetime) -> str:
    """The run's kind, if it is the caller's to do, else nothing: of two who try, one gets it."""
    taken = WarehouseRun.objects.filter(pk=run_id, state="queued").update(
        state="running", started_at=now, alive_at=now, attempts=F("attempts") + 1, rules=rules, models_done=0
    )
    return WarehouseRun.objects.values_list("kind", flat=True).get(pk=run_id) if taken else ""


def note(run_id: int, *, now: datetime, said: str, done: int, total: int) -> bool:
    """A sign of life; nothing said leaves the last word standing. Returns False for a run that was given up meanwhile:
    its process must end."""
    running = WarehouseRun.objects.filter(pk=run_id, state="running")
    changes: dict[str, Any] = {"alive_at": now, "models_done": done, "models_total": total}
    if said:
        changes["said"] = said[:200]
    return running.update(**changes) == 1


def end(run_id: int, *, now: datetime, problem: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Finished, or failed if there is a `problem`."""
    steps = sum(each["kind"] != "source" for each in results)
    WarehouseRun.objects.filter(pk=run_id, state="running").update(
        state="failed" if problem else "finished",
        finished_at=now,
        problem=problem[:2000],
        results=list(results),
        models_done=steps,
    )


def reap(*, now: datetime) -> int:
    """Runs whose process is gone wait for another one, and fail when that happened too often. Returns how many."""
    gone = WarehouseRun.objects.filter(state="running", alive_at__lt=now - SILENT)
    failed = gone.filter(attempts__gte=ATTEMPTS).update(
        state="failed", finished_at=now, problem=f"Its process was gone {ATTEMPTS} times."
    )
    return failed + gone.update(state="queued", requested_at=now, said="Its process was gone; it begins again.")


def waiting() -> list[int]:
    """Runs that nobody took."""
    return list(WarehouseRun.objects.filter(state="queued").values_list("pk", flat=True))


def last_success() -> WarehouseRun | None:
    return WarehouseRun.objects.filter(state="finished").order_by("-finished_at", "-id").first()


def last_ended() -> WarehouseRun | None:
    return WarehouseRun.objects.filter(state__in=["finished", "failed"]).order_by("-finished_at", "-id").first()


def rules_changed(rules: str) -> bool:
    """Whether what stands there was built by other rules than these."""
    last = last_success()
    return last is not None and last.rules != rules


def forget_old() -> None:
    """The newest KEPT runs stay, and the last good one."""
    kept = last_success()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM warehouse_runs WHERE state IN ('finished', 'failed') AND id IS DISTINCT FROM %s AND id <= "
            "(SELECT id FROM warehouse_runs ORDER BY id DESC OFFSET %s LIMIT 1)",
            [kept.pk if kept is not None else None, KEPT],
        )
