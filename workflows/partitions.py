"""Partitions of the journal, by ranges of enrolment ids: made ahead, so that no insert meets a missing one."""

from __future__ import annotations

from django.db import connection

ENROLMENTS_PER_PARTITION = 10_000_000
AHEAD = 2


def make_ahead() -> list[str]:
    """Make the partition of the newest enrolments and the next ones. Idempotent. Returns what was made."""
    made: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM workflow_enrolments")
        newest = cursor.fetchone()[0] // ENROLMENTS_PER_PARTITION
        for number in range(newest, newest + AHEAD + 1):
            name = f"workflow_journal_{number}"
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone()[0] is None:
                first = number * ENROLMENTS_PER_PARTITION
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF workflow_journal"
                    f" FOR VALUES FROM ({first}) TO ({first + ENROLMENTS_PER_PARTITION})"
                )
                made.append(name)
    return made
