"""When the clock of a scratch has to stop next: the earliest instant at which some row becomes due by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from workflows.scratch import looks

# One line for each table whose rows come due. What is due already, and is not done, waits for something else. Who is
# only looked at again and again (`looks`) is left out here.
TIMES = (
    "SELECT min(wake_at) FROM workflow_enrolments WHERE state IN ('active', 'waiting') AND wake_at > %(after)s"
    " AND NOT id = ANY(%(polled)s)",
    "SELECT min(due_at) FROM outbox WHERE state = 'queued' AND due_at > %(after)s",
    "SELECT min(lease_until) FROM outbox WHERE state = 'sending' AND lease_until > %(after)s",
    "SELECT min(COALESCE(lease_until, due_at)) FROM staff_notices"
    " WHERE state IN ('queued', 'sending') AND COALESCE(lease_until, due_at) > %(after)s",
    "SELECT min(check_at) FROM score_checks WHERE check_at > %(after)s",
    "SELECT min(due_at) FROM segment_checks WHERE due_at > %(after)s",
    "SELECT min(due_at) FROM watch_checks WHERE due_at > %(after)s",
    "SELECT min(due_at) FROM date_entries WHERE done_at IS NULL AND due_at > %(after)s",
    "SELECT min(next_at) FROM trigger_schedules WHERE kind = 'schedule' AND next_at > %(after)s",
    # dates are written down ahead, again and again: it is enough to look before what was written down is used up
    "SELECT min(GREATEST(next_at, seen_to - interval '1 hour')) FROM trigger_schedules"
    " WHERE kind = 'date' AND GREATEST(next_at, seen_to - interval '1 hour') > %(after)s",
    "SELECT min(due_at) FROM webhook_calls WHERE state IN ('queued', 'calling') AND due_at > %(after)s",
)


def next_instant(*, after: datetime, until: datetime) -> datetime | None:
    """The first instant in (`after`, `until`] at which something is due; None where there is none."""
    polled = looks.polled()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT min(at) FROM ({' UNION ALL '.join(TIMES)}) AS times(at) WHERE at <= %(until)s",
            {"after": after, "until": until, "polled": [number for each in polled for number in each.enrolment_ids]},
        )
        times = [cursor.fetchone()[0], *(looks.ends(each, after=after) for each in polled)]
    known = [at for at in times if at is not None and at <= until]
    first = min(known, default=until)
    for look in looks.all_looks(polled):
        found = look.first(after, first)
        if found is not None:
            first, known = found, [found]
    return first if known else None
