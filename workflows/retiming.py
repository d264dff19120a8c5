"""After an update of the time zone data: waits for a time on somebody's wall end at that time by the new rules.

What was meant stands in the journal beside the arrival (`waits.instant_meant`); a contact's new zone moves nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import connection, transaction
from tzdata import IANA_VERSION

from workflows import timers, versions, waits

BATCH = 2_000


@dataclass(frozen=True)
class Retimed:
    """One batch. `after`: go on behind this enrolment; None at the end."""

    after: int | None
    looked_at: int
    moved: int


def retime_batch(*, after: int, now: datetime, limit: int = BATCH) -> Retimed:
    """Derive the wake times anew of those who began to wait with other time zone data and are not due yet. Call inside
    a transaction. Two statements.

    Moves nobody where the installation runs faster than life: its waits end at no time on a wall."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.id, e.lane, e.version_id, e.wake_at, e.entered_at, j.detail::text
              FROM workflow_enrolments e JOIN workflow_journal j ON j.enrolment_id = e.id AND j.seq = e.seq
             WHERE e.id > %s AND e.state = 'waiting' AND e.wake_at > %s AND j.step_type = 'wait'
               AND j.detail ? 'local_date' AND j.detail ->> 'tzdb' IS DISTINCT FROM %s
             ORDER BY e.id LIMIT %s FOR UPDATE OF e
            """,
            [after, now, IANA_VERSION, limit],
        )
        rows = cursor.fetchall()
        compiled = versions.load({row[2] for row in rows})
        moved: dict[int, tuple[str, datetime]] = {}
        for enrolment_id, lane, version_id, wake_at, entered_at, detail in rows:
            meant = _meant(json.loads(detail))
            if meant is not None:
                meant = compiled[version_id].at_the_latest(max(meant, now), entered_at)
                if meant != wake_at:
                    moved[enrolment_id] = (lane, meant)
        cursor.execute(
            "UPDATE workflow_enrolments e SET wake_at = d.wake_at"
            " FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, wake_at) WHERE e.id = d.id",
            [list(moved), [at for _, at in moved.values()]],
        )
    for lane in sorted({lane for lane, _ in moved.values()}):
        waiting = [(enrolment_id, at) for enrolment_id, (mine, at) in moved.items() if mine == lane]
        transaction.on_commit(partial(timers.remember, waiting, lane=lane))
    return Retimed(after=rows[-1][0] if len(rows) == limit else None, looked_at=len(rows), moved=len(moved))


def _meant(intent: Mapping[str, str]) -> datetime | None:
    return waits.instant_meant(intent) if settings.TIME_SPEED == 1 else None
