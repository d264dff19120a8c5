"""Lifecycle stages: an append-only log of moves. The current stage is the last row; going back is a new row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import authority, events
from contacts.conditions import Sql
from scoring.lifecycle.labels import label, labels
from scoring.models.lifecycle import NO_STAGE, STAGES

__all__ = ["NO_STAGE", "STAGES", "Move", "current_stages", "hold", "label", "labels", "move", "record", "stage_sql"]

_LOCK = "SELECT id FROM contacts WHERE id = ANY(%s) AND erased_at IS NULL ORDER BY id FOR NO KEY UPDATE"
_WRITE = """
    INSERT INTO lifecycle_events (contact_id, from_stage, to_stage, reason, source, actor, occurred_at)
    SELECT m.contact_id, m.from_stage, m.to_stage, m.reason, m.source, %s, %s
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
           AS m(contact_id, from_stage, to_stage, reason, source, place)
     ORDER BY m.place
    RETURNING id, contact_id, from_stage, to_stage, reason
"""
_CURRENT = """
    SELECT DISTINCT ON (contact_id) contact_id, to_stage FROM lifecycle_events
     WHERE contact_id = ANY(%s) ORDER BY contact_id, id DESC
"""


@dataclass(frozen=True)
class Move:
    """A step of one contact: `source` is rule:<key> · workflow:<slug> · api · admin · import."""

    contact_id: int
    from_stage: str
    to_stage: str
    reason: str
    source: str


def move(
    *,
    contact_ids: Collection[int],
    to_stage: str,
    reason: str,
    source: str,
    now: datetime,
    only_from: Collection[str] | None = None,
    lane: str = "urgent",
    actor: str = "",
) -> list[int]:
    """Move contacts to a stage, inside the caller's transaction; returns those that were not there already, in order.

    Each move is a row of the log and the contact's own event `lifecycle_changed` {"from", "to", "reason"} in `lane`
    (urgent · bulk). `only_from` leaves contacts of other stages where they are (NO_STAGE: those that never had one).
    `actor` is the name of the user or key who did it by hand. Locks the contacts in the order of their ids. Raises
    ValueError for a stage that does not exist, NotAllowed where somebody did it by hand who may not."""
    if actor:
        authority.require("contacts.change_contact")
    if to_stage not in STAGES:
        raise ValueError(f"unknown lifecycle stage {to_stage!r}: expected one of {', '.join(STAGES)}")
    moves = [
        Move(contact_id, stage, to_stage, reason, source)
        for contact_id, stage in hold(contact_ids).items()
        if stage != to_stage and (only_from is None or stage in only_from)
    ]
    record(moves, now=now, lane=lane, actor=actor)
    return [each.contact_id for each in moves]


def hold(contact_ids: Collection[int]) -> dict[int, str]:
    """Lock these contacts until the end of the caller's transaction, in the order of their ids, and only then read
    where each of them is (NO_STAGE: nowhere yet); who does not exist, or was erased, is left out. Two statements, or
    none."""
    assert connection.in_atomic_block, "a move needs the caller's transaction"
    ids = sorted(set(contact_ids))
    if not ids:
        return {}
    with connection.cursor() as cursor:
        # a move that waits for another one must see it: lock in one statement, read in the next
        cursor.execute(_LOCK, [ids])
        locked = [contact_id for (contact_id,) in cursor.fetchall()]
    found = current_stages(locked)
    return {contact_id: found.get(contact_id, NO_STAGE) for contact_id in locked}


def record(moves: Sequence[Move], *, now: datetime, lane: str = "urgent", actor: str = "") -> None:
    """Write moves of contacts that are held, in their order, and tell of each. `from_stage` is where the contact was
    then: several moves of one contact follow each other. A constant number of statements; none for no moves."""
    if not moves:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            [
                actor,
                now,
                [each.contact_id for each in moves],
                [each.from_stage for each in moves],
                [each.to_stage for each in moves],
                [each.reason for each in moves],
                [each.source for each in moves],
            ],
        )
        written = sorted(cursor.fetchall())
    events.record_own(
        [
            events.OwnEvent(
                contact_id=contact_id,
                type="lifecycle_changed",
                properties={"from": from_stage, "to": to_stage, "reason": reason},
                key=f"lifecycle_changed:{move_id}",
            )
            for move_id, contact_id, from_stage, to_stage, reason in written
        ],
        now=now,
        lane=lane,
    )


def current_stages(contact_ids: Collection[int]) -> Mapping[int, str]:
    """The stage of each contact; those that never had one are left out. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_CURRENT, [sorted(set(contact_ids))])
        return dict(cursor.fetchall())


def stage_sql(contact: str) -> Sql:
    """The current stage as an expression over `contact`, the alias of a row of contacts; NULL if there is none."""
    return Sql(f"(SELECT now_in.stage FROM lifecycle_current now_in WHERE now_in.contact_id = {contact}.id)", [])
