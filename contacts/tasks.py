"""The bells of the ground floor."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import shared_task
from django.db import connection, transaction

from contacts import clock, doorbell, partitions, retention, seals, tallies, transactions
from contacts.audiences import checks, filling, membership, sweeping
from contacts.importing import runs as imports
from contacts.importing.batches import in_a_hurry
from contacts.merging import stragglers
from contacts.privacy import expiry

MAKE_PARTITIONS = "contacts.make_partitions"
FOLD_TALLIES = "contacts.fold_tallies"
TIDY = "contacts.tidy"
REHOMING_SECONDS = 5.0
_ONE_AT_A_TIME = "contacts.make_partitions"  # creating the same partition twice at once fails, and need not


@shared_task(name=MAKE_PARTITIONS)
def make_partitions(lane: str = "housekeeping", **_: Any) -> None:
    """Make the event log's partitions of the coming months, unless somebody else is doing it."""
    doorbell.answer(MAKE_PARTITIONS, lane)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [_ONE_AT_A_TIME])
        if cursor.fetchone()[0]:
            partitions.make_ahead(now=clock.now())


@shared_task(name=FOLD_TALLIES)
def fold_tallies(lane: str = "housekeeping", **_: Any) -> None:
    """Fold what batches of events counted, until there is nothing."""
    doorbell.work_off(FOLD_TALLIES, lane, tallies.fold)


@shared_task(name=TIDY)
def tidy(lane: str = "housekeeping", **_: Any) -> None:
    """Let go of what is older than the settings say: keys, quarantine, tallies, months of the log."""
    doorbell.work_off(TIDY, lane, lambda: retention.tidy(now=clock.now()))


@shared_task(name=seals.BELL)
def seal_audit(lane: str = "housekeeping", **_: Any) -> None:
    """Add what was committed to the chain over the audit log."""
    doorbell.work_off(seals.BELL, lane, lambda: transactions.run(lambda now: seals.seal_batch(now=now)))


@shared_task(name=imports.BELL)
def import_runs(lane: str = imports.LANE, **_: Any) -> None:
    """Read on in the files that were uploaded."""
    with in_a_hurry(), closing(imports.Worker(overlap=True)) as worker:
        doorbell.work_off(imports.BELL, lane, worker.advance)


@shared_task(name="contacts.keep_to_retention")
def keep_to_retention(lane: str = "housekeeping", **_: Any) -> None:
    """Wipe what came in late for the erased, and erase who is long gone."""
    doorbell.work_off("contacts.keep_to_retention", lane, expiry.keep_batch)


@shared_task(name=checks.BELL)
def check_segments(lane: str = "urgent", **_: Any) -> None:
    """Bring the membership of whoever changed up to date; the bulk lane also fills new segments, and looks for what
    only time changed."""
    doorbell.work_off(checks.BELL, lane, lambda: _check(lane) or (lane == "bulk" and (_fill() or _look())))


@shared_task(name="contacts.sweep_segments")
def sweep_segments(**_: Any) -> None:
    """Ring where a check is due and nobody was rung for, and where segments are to be filled or looked through."""
    for lane in transactions.run(lambda now: sweeping.lanes_with_work(now=now)):
        doorbell.ring(checks.BELL, lane)


@shared_task(name="contacts.rehome")
def rehome(hours: float = 1.0, **_: Any) -> None:
    """Have what came late for contacts that were merged in the last hours follow them: the newest first, and no longer
    than a slice of time allows, since what is late is so by seconds."""
    until = time.monotonic() + REHOMING_SECONDS
    since = clock.now() - timedelta(hours=hours)
    before: int | None = stragglers.NEWEST
    while before is not None and time.monotonic() < until:
        before = transactions.run(partial(_rehome, since, before))


def _rehome(since: datetime, before: int, now: datetime) -> int | None:
    return stragglers.rehome_recent(since=since, before=before, now=now)


def _check(lane: str) -> bool:
    return transactions.run(lambda now: membership.check_batch(lane, now))


def _fill() -> bool:
    return transactions.run(filling.fill_batch)


def _look() -> bool:
    return transactions.run(sweeping.sweep_batch)
