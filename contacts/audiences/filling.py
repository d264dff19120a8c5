"""Filling a segment whose condition is new: chunk by chunk, in silence, then it is live.

Whoever changes a contact marks it for the segments that they see. So filling begins when every transaction that may
have read the segments before this condition was there is over: from then on each change is either seen by the filling
or marked.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from contacts.audiences import definitions, membership, suspects

CHUNK = 2000  # contacts; of these, the suspects are locked together


def fill_batch(now: datetime, *, chunk: int = CHUNK) -> bool:
    """Fill one chunk of one segment, inside the caller's transaction. Returns whether there may be more to do now: a
    segment that has to wait for older transactions is no work, it is asked for again."""
    assert connection.in_atomic_block, "fill_batch needs the caller's transaction"
    taken = _take()
    if taken is None:
        return False
    segment_id, filled_to = taken
    definition = next((each for each in definitions.load() if each.id == segment_id), None)
    upto = suspects.next_chunk(after=filled_to, size=chunk)
    if definition is None or upto is None:
        _go_live(segment_id, now)
        return True
    found = suspects.find([definition], after=filled_to, upto=upto, now=now)
    membership.examine([contact_id for contact_id, _ in found], {definition.about}, lane="bulk", now=now)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE segments SET filled_to = %s WHERE id = %s", [upto, segment_id])
    return True


def waiting() -> bool:
    """Whether a segment is yet to be filled."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM segments WHERE state = 'building')")
        return cursor.fetchone()[0]


def _take() -> tuple[int, int] | None:
    """(segment id, how far it is filled) of a segment that can be filled now, held for this transaction; the lowest
    level first, so that segments which ask about it find it filled."""
    if not waiting():
        return None
    with connection.cursor() as cursor:
        # Every transaction from the next id on began after the condition was committed: this statement sees it. (This
        # also gives our transaction an id, by which ages are measured below.)
        cursor.execute(
            "UPDATE segments SET seen_from = pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
            "WHERE state = 'building' AND seen_from = 0"
        )
        cursor.execute(
            """
            WITH mine AS MATERIALIZED (SELECT pg_current_xact_id()::text::bigint AS xid)
            SELECT s.id, s.filled_to FROM segments s, mine
             WHERE s.state = 'building' AND s.seen_from > 0
               AND NOT EXISTS (
                   SELECT FROM pg_stat_activity a
                    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
                      AND a.backend_type = 'client backend'
                      -- its id, or what it still sees, is from before
                      AND GREATEST(age(a.backend_xid), age(a.backend_xmin)) > mine.xid - s.seen_from)
             ORDER BY s.level, s.id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
            """
        )
        return cursor.fetchone()


def _go_live(segment_id: int, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments SET state = 'live', swept_at = %s, swept_to = 0 WHERE id = %s", [now, segment_id]
        )
