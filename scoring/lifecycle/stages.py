"""Lifecycle stages: an append-only log of moves. The current stage is the last row; going back is a new row."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import events
from contacts.conditions import Sql

STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer", "churned")
NO_STAGE = ""

_LOCK = "SELECT id FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_MOVE = """
    INSERT INTO lifecycle_events (contact_id, from_stage, to_stage, reason, source, occurred_at)
    SELECT c.id, COALESCE(latest.to_stage, ''), %(to)s, %(reason)s, %(source)s, %(now)s
      FROM contacts c
      LEFT JOIN LATERAL (SELECT to_stage FROM lifecycle_events l WHERE l.contact_id = c.id ORDER BY l.id DESC LIMIT 1)
           latest ON true
     WHERE c.id = ANY(%(ids)s)
       AND COALESCE(latest.to_stage, '') <> %(to)s
       AND (%(only_from)s::text[] IS NULL OR COALESCE(latest.to_stage, '') = ANY(%(only_from)s::text[]))
     ORDER BY c.id
    RETURNING id, contact_id, from_stage
"""
_CURRENT = """
    SELECT DISTINCT ON (contact_id) contact_id, to_stage FROM lifecycle_events
     WHERE contact_id = ANY(%s) ORDER BY contact_id, id DESC
"""


def move(
    *,
    contact_ids: Collection[int],
    to_stage: str,
    reason: str,
    source: str,
    now: datetime,
    only_from: Collection[str] | None = None,
    lane: str = "urgent",
) -> list[int]:
    """Move contacts to a stage, inside the caller's transaction; returns those that were not there already, in order.

    Each move is a row of the log and the contact's own event `lifecycle_changed` {"from", "to", "reason"} in `lane`
    (urgent · bulk). `only_from` leaves contacts of other stages where they are (NO_STAGE: those that never had one).
    Locks the contacts in the order of their ids. Raises ValueError for a stage that does not exist."""
    if to_stage not in STAGES:
        raise ValueError(f"unknown lifecycle stage {to_stage!r}: expected one of {', '.join(STAGES)}")
    assert connection.in_atomic_block, "a move needs the caller's transaction"
    ids = sorted(set(contact_ids))
    if not ids:
        return []
    given: dict[str, Any] = {
        "ids": ids,
        "to": to_stage,
        "reason": reason,
        "source": source,
        "now": now,
        "only_from": None if only_from is None else sorted(only_from),
    }
    with connection.cursor() as cursor:
        # a move that waits for another one must see it: lock in one statement, read in the next
        cursor.execute(_LOCK, [ids])
        cursor.execute(_MOVE, given)
        moved = sorted(cursor.fetchall(), key=lambda row: row[1])
    if moved:
        events.record_own(
            [
                events.OwnEvent(
                    contact_id=contact_id,
                    type="lifecycle_changed",
                    properties={"from": from_stage, "to": to_stage, "reason": reason},
                    key=f"lifecycle_changed:{move_id}",
                )
                for move_id, contact_id, from_stage in moved
            ],
            now=now,
            lane=lane,
        )
    return [contact_id for _, contact_id, _ in moved]


def current_stages(contact_ids: Collection[int]) -> dict[int, str]:
    """The stage of each contact; those that never had one are left out. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT, [sorted(set(contact_ids))])
        return dict(cursor.fetchall())


def stage_sql(contact: str) -> Sql:
    """The current stage as an expression over `contact`, the alias of a row of contacts; NULL if there is none."""
    return Sql(
        f"(SELECT l.to_stage FROM lifecycle_events l WHERE l.contact_id = {contact}.id ORDER BY l.id DESC LIMIT 1)", []
    )
