"""When the warehouse is built by itself: once a night, and a process for every run that waits."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from analytics.warehouse import runs
from contacts import doorbell, transactions

BELL = "analytics.build_warehouse"
LANE = "housekeeping"
LATE = timedelta(hours=12)  # so long after its hour a night is still made up for


def ring() -> None:
    """Have a run that was asked for begin, once the caller's transaction is committed."""
    doorbell.ring_on_commit(BELL, LANE)


def sweep(*, now: datetime) -> None:
    """Ask for the night's run, find runs whose process is gone, and ring where one waits."""
    runs.reap(now=now)
    night = due(now=now)
    if night is not None and not runs.had(night):
        with suppress(runs.RunInProgress):  # the night's turn comes after it
            runs.ask("nightly", now=now, by="the night", night=night)
    runs.forget_old()
    if runs.waiting():
        ring()


def due(*, now: datetime) -> date | None:
    """The night whose hour has come and was lived to see by this installation: what was set up since has nothing to
    make up for. None where there is none, or nightly runs are off."""
    if settings.WAREHOUSE_AT is None:
        return None
    local = now.astimezone(ZoneInfo(settings.DEFAULT_TIMEZONE))
    hour = local.replace(hour=settings.WAREHOUSE_AT.hour, minute=settings.WAREHOUSE_AT.minute, second=0, microsecond=0)
    if hour > local:
        hour -= timedelta(days=1)
    if local - hour > LATE or hour < set_up_at():
        return None
    return hour.date()


def set_up_at() -> datetime:
    """When this installation's database was made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(applied) FROM django_migrations")
        return cursor.fetchone()[0]


def start(run_id: int) -> None:
    """A process of its own for this run: it may take longer than a task may."""
    places = Path(settings.WAREHOUSE_STATE)
    places.mkdir(parents=True, exist_ok=True)
    with (places / "last_run.log").open("wb") as log:
        subprocess.Popen(  # noqa: S603  (our own arguments)
            [sys.executable, "manage.py", "build_warehouse", "--run", str(run_id)],
            cwd=settings.BASE_DIR,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def start_waiting() -> bool:
    """Start what waits. Returns False: there is one at a time, so there is no more to do."""
    for run_id in transactions.run(lambda now: runs.waiting()):
        start(run_id)
    return False
