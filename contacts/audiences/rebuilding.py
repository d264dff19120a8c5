"""The full recomputation of all segments: what keeping them incrementally must agree with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from contacts.audiences import definitions, membership, suspects
from contacts.locking import lock_contacts

CHUNK = 5000  # contacts


@dataclass
class Differences:
    """By segment: `wrong` memberships of which nothing is known to come; `late` ones, of segments that time moves and
    that the next look would have found. What waits in the queue is neither."""

    wrong: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)

    def add(self, other: Differences) -> None:
        self.wrong.update(other.wrong)
        self.late.update(other.late)


def rebuild_chunk(*, after: int, now: datetime, repair: bool, size: int = CHUNK) -> tuple[int | None, Differences]:
    """Recompute the live segments for the next `size` contacts behind `after`, in the caller's transaction: the last
    of these contacts (None: there are no more), and what did not agree. `repair` puts it right, and tells it as any
    other change."""
    assert connection.in_atomic_block, "rebuild_chunk needs the caller's transaction"
    upto = suspects.next_chunk(after=after, size=size)
    live = [definition for definition in definitions.load() if definition.live]
    differences = Differences()
    if upto is None or not live:
        return None, differences
    doubted = [contact_id for contact_id, _ in suspects.find(live, after=after, upto=upto, now=now)]
    if not doubted:
        return upto, differences
    lock_contacts(doubted)
    # once more, under the locks; the queue afterwards: whatever this sees is in it, or was worked off before
    found = suspects.find(live, after=after, upto=upto, now=now, only=doubted)
    waiting = _waiting(doubted)
    for contact_id, segments in found:
        if contact_id not in waiting:
            for definition in segments:
                (differences.late if definition.moves_with_time else differences.wrong)[definition.slug] += 1
    if repair and found:
        abouts = {definition.about for _, segments in found for definition in segments}
        membership.examine([contact_id for contact_id, _ in found], abouts, lane="bulk", now=now)
    return upto, differences


def _waiting(contact_ids: Sequence[int]) -> set[int]:
    """Those who are in the queue, or were taken from it by a transaction that is not over."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT contact_id FROM segment_checks WHERE contact_id = ANY(%s)", [list(contact_ids)])
        return {contact_id for (contact_id,) in cursor.fetchall()}
