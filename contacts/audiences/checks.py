"""`segment_checks`: of whom something changed that a segment reads. Written in the transaction of the change, so
whoever finds a row sees the change, too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import doorbell, json_rows
from contacts.audiences.definitions import EVERYTHING
from contacts.conditions.reading import ANY_EVENT, about_event
from contacts.signals import RecordedEvent

BELL = "contacts.check_segments"
LANES = ("urgent", "bulk")

# What segments read is asked for in the same statement: nothing is remembered that could be out of date.
_AFTER_EVENTS = """
    INSERT INTO segment_checks (contact_id, about, lane, due_at)
    SELECT DISTINCT e.contact_id, e.about, %s, GREATEST(%s::timestamptz, e.occurred_at)
      FROM (SELECT (row->>0)::bigint AS contact_id, row->>1 AS about, (row->>2)::timestamptz AS occurred_at
              FROM jsonb_array_elements(%s::jsonb) AS new(row)) AS e
     WHERE e.about IN (SELECT unnest(s.reads) FROM segments s)
        OR EXISTS (SELECT FROM segments s WHERE %s = ANY(s.reads))
     ORDER BY e.contact_id
"""
_AFTER_CHANGES = """
    INSERT INTO segment_checks (contact_id, about, lane, due_at)
    SELECT changed.id, about.name, %s, %s
      FROM unnest(%s::text[]) AS about(name) CROSS JOIN unnest(%s::bigint[]) AS changed(id)
     WHERE about.name IN (SELECT unnest(s.reads) FROM segments s)
        OR (about.name = %s AND EXISTS (SELECT FROM segments))
     ORDER BY changed.id
"""


def after_events(events: Iterable[RecordedEvent], *, lane: str, now: datetime) -> None:
    """Mark the contacts of these events, if a segment counts such. One statement."""
    counted = [event for event in events if event.processed]
    if counted:
        _mark(
            _AFTER_EVENTS,
            [
                lane,
                now,
                json_rows.dump(
                    (event.contact_id, about_event(event.type), _later(event.occurred_at, now)) for event in counted
                ),
                ANY_EVENT,
            ],
            lane,
        )


def _later(at: datetime, now: datetime) -> str | None:
    """GREATEST passes over nothing, and nearly every event is of the past."""
    return at.isoformat() if at > now else None


def mark(contact_ids: Collection[int], abouts: Collection[str], *, lane: str, now: datetime) -> None:
    """Have these contacts checked in the segments that read one of `abouts` (see `contacts.conditions.reading`;
    EVERYTHING: in all). One statement, in the transaction that changed them. `lane`: urgent · bulk."""
    if contact_ids:
        asked = [EVERYTHING] if EVERYTHING in abouts else sorted(set(abouts))  # the whole has its parts in it
        _mark(_AFTER_CHANGES, [lane, now, asked, sorted(set(contact_ids)), EVERYTHING], lane)


def ask(found: Sequence[tuple[int, str]], *, lane: str, now: datetime) -> None:
    """Have (contact id, about) checked, whatever segments read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO segment_checks (contact_id, about, lane, due_at) "
            "SELECT x.contact_id, x.about, %s, %s FROM unnest(%s::bigint[], %s::text[]) AS x(contact_id, about)",
            [lane, now, [contact_id for contact_id, _ in found], [about for _, about in found]],
        )


def claim(*, lane: str, now: datetime, limit: int) -> Mapping[int, set[str]]:
    """Take up to `limit` rows off the queue: contact id -> abouts. Nothing here waits for a lock, and rows that another
    transaction took are its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM segment_checks WHERE id = ANY(ARRAY(
                SELECT id FROM segment_checks WHERE lane = %s AND due_at <= %s
                 ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
            RETURNING contact_id, about
            """,
            [lane, now, limit],
        )
        claimed: dict[int, set[str]] = {}
        for contact_id, about in cursor.fetchall():
            claimed.setdefault(contact_id, set()).add(about)
    return claimed


def due_lanes(*, now: datetime) -> list[str]:
    """The lanes in which a check is due."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lane FROM unnest(%s::text[]) AS l(lane) "
            "WHERE EXISTS (SELECT FROM segment_checks k WHERE k.lane = l.lane AND k.due_at <= %s)",
            [list(LANES), now],
        )
        return [lane for (lane,) in cursor.fetchall()]


def _mark(statement: str, params: list[Any], lane: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        marked = cursor.rowcount
    if marked:
        doorbell.ring_on_commit(BELL, lane)
