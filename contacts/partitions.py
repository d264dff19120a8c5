"""Monthly partitions of the event log: made ahead, so that no insert ever waits for one, and dropped whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.db import connection

UNPLANNED = "contact_events_unplanned"  # the partition for a month that was not made
_NAME = re.compile(r"contact_events_(\d{4,})_(\d{2})", re.ASCII)


def month_bounds(year: int, month: int) -> tuple[datetime, datetime]:
    start = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, end


def create_month_sql(year: int, month: int) -> str:
    start, end = month_bounds(year, month)
    return (
        f"CREATE TABLE IF NOT EXISTS contact_events_{year}_{month:02d} PARTITION OF contact_events "
        f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
    )


def months_from(at: datetime, count: int) -> list[tuple[int, int]]:
    """`count` months, the one of `at` first."""
    first = at.year * 12 + at.month - 1
    return [(n // 12, n % 12 + 1) for n in range(first, first + count)]


def make_ahead(*, now: datetime, months: int = 4) -> None:
    """Make the partitions of this month and the next ones. Idempotent; taken by one caller at a time."""
    with connection.cursor() as cursor:
        for year, month in months_from(now, months):
            cursor.execute("SELECT to_regclass(%s)", [f"contact_events_{year}_{month:02d}"])
            if cursor.fetchone()[0] is None:
                cursor.execute(create_month_sql(year, month))


def ended_before(instant: datetime) -> list[str]:
    """The months of the log that lie wholly before that instant, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'contact_events'::regclass"
        )
        months = [(int(found[1]), int(found[2])) for (name,) in cursor.fetchall() if (found := _NAME.fullmatch(name))]
    return [
        f"contact_events_{year}_{month:02d}"
        for year, month in sorted(months)
        if month_bounds(year, month)[1] <= instant
    ]


def drop(name: str) -> None:
    """Take one of these months out of the log and delete it, in the caller's transaction."""
    assert _NAME.fullmatch(name), "only a month of the log is dropped"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE contact_events DETACH PARTITION {name}")
        cursor.execute(f"DROP TABLE {name}")
