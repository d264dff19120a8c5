"""How long the log, its keys and its by-products are kept. Empty settings keep for ever.

A partition that is dropped takes its events out of everybody's past: conditions, scores, timelines and exports know
them no longer. Deduplication keys outlive the time in which an event may trigger something (`manage.py check` insists),
so a producer that sends an old event once more triggers nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection, transaction

from contacts import audit, durations, idempotency, partitions, quarantine, tallies
from contacts.guarded import guarded_path
from contacts.transactions import sqlstate

log = logging.getLogger(__name__)

AT_ONCE = 5_000  # rows of one statement
TALLIES = timedelta(days=400)  # a year can be compared with the one before

LOCK_WAIT = "500ms"  # while we wait for the log, everybody behind us waits
_NOT_NOW = frozenset({"55P03", "40P01"})
_NOT_OURS = "42501"  # insufficient_privilege: we are not the owner, who drops partitions and old entries himself


def tidy(*, now: datetime) -> bool:
    """Do one batch of what is to be done, each in a transaction of its own; whether there may be more."""
    return any([work(now) for work in (*_PRUNES, _drop_a_partition)])


def _age(setting: str, now: datetime) -> datetime | None:
    """The instant before which it goes; None where it is kept for ever. Not shortened by TIME_SPEED."""
    return now - durations.window(setting, speed=1.0) if setting else None


def _prune_keys(now: datetime) -> bool:
    before = _age(settings.EVENT_KEY_RETENTION, now)
    if before is None:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM event_keys WHERE key_hash IN (
                   SELECT key_hash FROM event_keys WHERE recorded_at < %s ORDER BY recorded_at LIMIT %s
                      FOR UPDATE SKIP LOCKED)
            """,
            [before, AT_ONCE],
        )
        return cursor.rowcount == AT_ONCE


def _prune_quarantine(now: datetime) -> bool:
    before = _age(settings.QUARANTINE_RETENTION, now)
    return before is not None and quarantine.prune(before=before, limit=AT_ONCE)


def _prune_audit(now: datetime) -> bool:
    before = _age(settings.AUDIT_RETENTION, now)
    if before is None:
        return False
    try:
        with transaction.atomic():
            return audit.prune(before=before, limit=AT_ONCE, now=now)
    except ProgrammingError as error:
        if sqlstate(error) != _NOT_OURS:
            raise
        log.warning("entries of the audit log are older than AUDIT_RETENTION, and this role may not delete them")
        return False


def _prune_tallies(now: datetime) -> bool:
    tallies.prune(before=now - TALLIES)
    return False


def _prune_repeatable(now: datetime) -> bool:
    return idempotency.prune(now=now, limit=AT_ONCE)


def _prune_unplanned(now: datetime) -> bool:
    """Events in the partition for what no month was made for, by the guarded path: the log is append-only."""
    before = _age(settings.EVENT_RETENTION, now)
    if before is None:
        return False
    with transaction.atomic(), guarded_path(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM {partitions.UNPLANNED} e WHERE (id, recorded_at) IN (
                   SELECT id, recorded_at FROM {partitions.UNPLANNED} u
                    WHERE recorded_at < %s AND NOT EXISTS (SELECT FROM pending_events p WHERE p.event_id = u.id)
                    LIMIT %s)
            """,
            [before, AT_ONCE],
        )
        return cursor.rowcount == AT_ONCE


def _drop_a_partition(now: datetime) -> bool:
    """The oldest month that lies wholly before, unless intake still has to match an event of it. Whoever uses the log
    at that moment is not made to wait for longer than LOCK_WAIT: then it is tried again at the next visit."""
    before = _age(settings.EVENT_RETENTION, now)
    old = [] if before is None else partitions.ended_before(before)
    if not old or partitions.ended_before(_oldest_pending() or now)[:1] != old[:1]:
        return False
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            partitions.drop(old[0])
    except (OperationalError, ProgrammingError) as error:
        if sqlstate(error) not in _NOT_NOW | {_NOT_OURS}:
            raise
        log.warning("the partition %s could not be dropped: %s", old[0], type(error.__cause__ or error).__name__)
        return False
    log.info("dropped the partition %s, as EVENT_RETENTION says", old[0])
    return len(old) > 1


def _oldest_pending() -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(recorded_at) FROM pending_events")
        return cursor.fetchone()[0]


_PRUNES: tuple[Callable[[datetime], bool], ...] = (
    _prune_keys,
    _prune_quarantine,
    _prune_audit,
    _prune_tallies,
    _prune_repeatable,
    _prune_unplanned,
)
