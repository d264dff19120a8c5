"""A provider that refuses us, rather than a message, is stopped: its messages stay queued, and nobody's attempt is used
up, until somebody has mended the key or the account and resumes it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from contacts import doorbell
from delivery.outbox import LANES


def stop(name: str, why: str, *, now: datetime) -> None:
    """From now on nothing is handed to this provider. The first reason stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO providers (name, stopped_at, stopped_why) VALUES (%s, %s, %s)
                ON CONFLICT (name) DO UPDATE SET stopped_at = EXCLUDED.stopped_at, stopped_why = EXCLUDED.stopped_why
             WHERE providers.stopped_at IS NULL
            """,
            [name, now, why],
        )


def is_stopped(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM providers WHERE name = %s AND stopped_at IS NOT NULL)", [name])
        return cursor.fetchone()[0]


def resume(name: str) -> bool:
    """Use the provider again. Returns whether it was stopped."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE providers SET stopped_at = NULL, stopped_why = '' WHERE name = %s AND stopped_at IS NOT NULL",
            [name],
        )
        for queue in LANES.values():
            doorbell.ring_on_commit("delivery.deliver", queue)
        return cursor.rowcount == 1
