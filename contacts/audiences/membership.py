"""Who is in which segment. There is one path on which membership changes: lock the contacts, read the truth in a later
statement, write the difference, tell it. Checks, filling, sweeping and rebuilding all go this way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db import connection

from contacts import changes, events
from contacts.audiences import checks, definitions
from contacts.audiences.definitions import Definition
from contacts.conditions import compile_condition
from contacts.conditions.reading import about_segment
from contacts.events import OwnEvent
from contacts.locking import lock_contacts

BATCH = 500  # rows of the queue
AT_ONCE = 100  # conditions of one statement

_TRUTH = """
    SELECT c.id, c.merged_into_id IS NULL AND c.erased_at IS NULL, ARRAY[{conditions}]
      FROM contacts c WHERE c.id = ANY(%s)
"""


@dataclass(frozen=True)
class _Move:
    """A contact who came into a segment, or left it. `row_id` names the stay."""

    row_id: int
    contact_id: int
    definition: Definition
    entered: bool


def check_batch(lane: str, now: datetime, *, limit: int = BATCH) -> bool:
    """Take contacts off a lane's queue and bring their membership up to date, in the caller's transaction. Returns
    whether there were any. The number of statements depends on the levels of segments, not on the contacts."""
    assert connection.in_atomic_block, "check_batch needs the caller's transaction"
    claimed = checks.claim(lane=lane, now=now, limit=limit)
    if claimed:
        examine(claimed, set().union(*claimed.values()), lane=lane, now=now)
    return bool(claimed)


def examine(contact_ids: Collection[int], abouts: Collection[str], *, lane: str, now: datetime) -> int:
    """Bring the membership of these contacts up to date in every segment that reads one of `abouts`, and in those that
    read a segment which thereby changes; returns how many memberships changed.

    Each change of a live segment is our own event `segment_entered` or `segment_left` {"segment": slug}. Whoever was
    merged or erased leaves in silence: there is nobody to tell it of."""
    assert connection.in_atomic_block, "examine needs the caller's transaction"
    known = set(abouts)
    locked = False
    changed = 0
    for _, level in groupby(definitions.load(), key=lambda definition: definition.level):
        concerned = [definition for definition in level if definition.concerned(known)]
        if not concerned:
            continue
        if not locked:  # from here on, what is read is the last word
            lock_contacts(contact_ids)
            locked = True
        for first in range(0, len(concerned), AT_ONCE):
            moves = _settle(concerned[first : first + AT_ONCE], sorted(contact_ids), lane, now)
            known |= {about_segment(move.definition.slug) for move in moves}
            changed += len(moves)
    return changed


def _settle(concerned: Sequence[Definition], contact_ids: Sequence[int], lane: str, now: datetime) -> list[_Move]:
    """Make membership what the conditions say. Four statements at most, and the events."""
    alive, inside = _truth(concerned, contact_ids, now)
    stays = _stays(concerned, contact_ids)
    by_id = {definition.id: definition for definition in concerned}
    gone = {key: row_id for key, row_id in stays.items() if key not in inside}
    come = sorted(inside - stays.keys())
    if gone:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM segment_members WHERE id = ANY(%s)", [sorted(gone.values())])
    moves = [_Move(row_id, contact, by_id[segment], False) for (contact, segment), row_id in sorted(gone.items())]
    moves += [_Move(row_id, contact, by_id[segment], True) for contact, segment, row_id in _enter(come, now)]
    told = [move for move in moves if move.definition.live and move.contact_id in alive]
    events.record_own([_news(move) for move in told], now=now, lane=lane)
    changes.tell([move.contact_id for move in moves], {"segment"}, now, lane=lane)  # scoring rules may ask about it
    return moves


def _truth(
    concerned: Sequence[Definition], contact_ids: Sequence[int], now: datetime
) -> tuple[set[int], set[tuple[int, int]]]:
    """Who is alive; and (contact id, segment id) of whom the condition is true. One statement."""
    conditions = [compile_condition(definition.condition, now=now) for definition in concerned]
    truths_sql = ", ".join(condition.text for condition in conditions)
    params = [param for condition in conditions for param in condition.params]
    alive: set[int] = set()
    inside: set[tuple[int, int]] = set()
    with connection.cursor() as cursor:
        cursor.execute(_TRUTH.format(conditions=truths_sql), [*params, list(contact_ids)])
        for contact_id, living, truths in cursor.fetchall():
            if living:
                alive.add(contact_id)
                inside.update(
                    (contact_id, definition.id) for definition, true in zip(concerned, truths, strict=True) if true
                )
    return alive, inside


def _stays(concerned: Sequence[Definition], contact_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """(contact id, segment id) -> row id, as membership stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            # OFFSET 0: contact by contact. Without statistics, PostgreSQL may read a segment's members instead: all.
            "SELECT m.contact_id, m.segment_id, m.id FROM unnest(%s::bigint[]) AS wanted(id) CROSS JOIN LATERAL "
            "(SELECT * FROM segment_members WHERE contact_id = wanted.id OFFSET 0) AS m WHERE m.segment_id = ANY(%s)",
            [list(contact_ids), [definition.id for definition in concerned]],
        )
        return {(contact_id, segment_id): row_id for contact_id, segment_id, row_id in cursor.fetchall()}


def _enter(come: Sequence[tuple[int, int]], now: datetime) -> Iterable[tuple[int, int, int]]:
    """(contact id, segment id, row id) of the new stays."""
    if not come:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO segment_members (contact_id, segment_id, entered_at)
            SELECT contact_id, segment_id, %s FROM unnest(%s::bigint[], %s::bigint[]) AS new(contact_id, segment_id)
            RETURNING contact_id, segment_id, id
            """,
            [now, [contact for contact, _ in come], [segment for _, segment in come]],
        )
        return cursor.fetchall()


def _news(move: _Move) -> OwnEvent:
    kind = "segment_entered" if move.entered else "segment_left"
    return OwnEvent(
        contact_id=move.contact_id,
        type=kind,
        properties={"segment": move.definition.slug},
        key=f"{kind}:{move.row_id}",  # a stay begins once and ends once
    )
