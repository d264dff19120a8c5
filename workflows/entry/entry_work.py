"""The work of the bell `workflows.enter`: all entries that no event brings about, one batch of each in turn."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from contacts import freezing, transactions
from workflows.entry import date_entries, due_dates, entry_runs, schedules


def work() -> bool:
    """One batch of what is due; whether there was any. Dates come before runs, which may be long."""
    return any(
        [
            transactions.run(lambda now: schedules.start_due(now=now)),
            due_dates.enter_batch(),
            transactions.run(lambda now: date_entries.look_through(now=now)),
            entry_runs.enter_slice(),
        ]
    )


def is_waiting(*, now: datetime) -> bool:
    """Whether there is something to do: for the sweeper."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {freezing.THAWED} AND (EXISTS (SELECT FROM trigger_schedules WHERE next_at <= %(now)s)
                OR EXISTS (SELECT FROM date_entries WHERE done_at IS NULL AND due_at <= %(now)s)
                OR EXISTS (SELECT FROM entry_runs r JOIN workflows w ON w.id = r.workflow_id
                            WHERE r.state = 'running' AND w.status = 'live'))
            """,
            {"now": now},
        )
        return cursor.fetchone()[0]
