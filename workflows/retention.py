"""How long intake remembers that it used an event: as long as the log remembers its key (`EVENT_KEY_RETENTION`)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection

from contacts import durations
from workflows.entry import brake
from workflows.watches import watching

AT_ONCE = 5_000


def prune(*, now: datetime) -> bool:
    """Forget one batch of what this floor need not know any longer; whether there may be more."""
    return any([prune_triggers(now=now), brake.prune(now=now), watching.tidy(now=now), prune_calls(now=now)])


def prune_triggers(*, now: datetime) -> bool:
    """Forget one batch of those that are older; whether there may be more. A claim that is forgotten early would do no
    harm by itself: the key in the log still keeps the same event out."""
    if not settings.EVENT_KEY_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM processed_triggers WHERE key_hash IN (
                   SELECT key_hash FROM processed_triggers WHERE processed_at < %s ORDER BY processed_at LIMIT %s)
            """,
            [now - durations.window(settings.EVENT_KEY_RETENTION, speed=1.0), AT_ONCE],
        )
        return cursor.rowcount == AT_ONCE


def prune_calls(*, now: datetime) -> bool:
    """Forget one batch of calls to other servers, as old as messages may be: what was asked and answered is kept where
    it is used. The oldest ones are looked at, by id; whether there may be more."""
    if not settings.MESSAGE_RETENTION:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM webhook_calls WHERE id IN (
                   SELECT id FROM (SELECT id, finished_at FROM webhook_calls ORDER BY id LIMIT %s) AS oldest
                    WHERE finished_at < %s)
            """,
            [AT_ONCE, now - durations.window(settings.MESSAGE_RETENTION, speed=1.0)],
        )
        return cursor.rowcount == AT_ONCE
