"""What only time changes ("inactive for 30 days"): everybody is looked at again and again, without locks, and whoever
seems to have come in or dropped out is queued as a check."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts.audiences import checks, definitions, filling, suspects

EVERY = timedelta(minutes=5)  # from the beginning of one look at everybody to that of the next
LEAST = timedelta(seconds=5)  # under a TIME_SPEED
CHUNK = 5000  # contacts


def sweep_batch(now: datetime, *, chunk: int = CHUNK) -> bool:
    """Look at one chunk of contacts for the segments that are due, inside the caller's transaction. Returns whether
    there was one."""
    assert connection.in_atomic_block, "sweep_batch needs the caller's transaction"
    after, ids = _take(now)
    if not ids:
        return False
    due = [definition for definition in definitions.load() if definition.id in ids]
    upto = suspects.next_chunk(after=after, size=chunk)
    if upto is not None and due:
        found = suspects.find(due, after=after, upto=upto, now=now)
        asked = [(contact_id, definition.about) for contact_id, wrong in found for definition in wrong]
        if asked:
            checks.ask(asked, lane="bulk", now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments SET swept_to = %s, swept_at = CASE WHEN swept_to = 0 THEN %s ELSE swept_at END "
            "WHERE id = ANY(%s)",
            [upto or 0, now, sorted(ids)],
        )
    return True


def due(*, now: datetime) -> bool:
    """Whether a look at everybody has to begin or to go on."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM segments WHERE {_DUE})", [_begun_before(now)])
        return cursor.fetchone()[0]


def lanes_with_work(*, now: datetime) -> list[str]:
    """The lanes in which somebody has to be rung for: checks that are due, and in bulk also segments that are to be
    filled or looked through."""
    lanes = checks.due_lanes(now=now)
    if "bulk" not in lanes and (filling.waiting() or due(now=now)):
        lanes.append("bulk")
    return lanes


_DUE = "state = 'live' AND moves_with_time AND (swept_to > 0 OR swept_at IS NULL OR swept_at <= %s)"


def _take(now: datetime) -> tuple[int, set[int]]:
    """(how far they have come, their ids) of due segments that go on from the same contact; nobody else sweeps these
    until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, swept_to FROM segments WHERE {_DUE} ORDER BY swept_to, id FOR NO KEY UPDATE SKIP LOCKED",
            [_begun_before(now)],
        )
        rows = cursor.fetchall()
    after = rows[0][1] if rows else 0
    return after, {segment_id for segment_id, swept_to in rows if swept_to == after}


def _begun_before(now: datetime) -> datetime:
    return now - max(EVERY / settings.TIME_SPEED, LEAST)
