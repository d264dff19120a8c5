"""Monthly partitions of the event log: made ahead, so that no insert ever waits for one."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection


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
