"""Rows that came late: a transaction that had found the absorbed contact before the merge was committed may write for
it afterwards. They follow to the survivor, and the ledger gets them too. Likewise one that had found the survivor, by
the absorbed contact's own id, before the merge was undone: its events go back to whom that id means now.

Whoever meets a merged contact calls `rehome`; a sweep over the merges of the last while finds the rest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from contacts import changes, signals
from contacts.merged import living_ids
from contacts.merging import rows
from contacts.merging.merge import EVERYTHING, give, hold
from contacts.signals import Merged

BATCH = 500
NEWEST = 2**63 - 1


def rehome(contact_ids: Collection[int], *, now: datetime) -> int:
    """Give what these merged contacts have got since to the contacts that they live on in, in the caller's
    transaction. Returns for how many there was anything."""
    done = 0
    asked = set(contact_ids)
    while asked:
        late = _late(_standing("absorbed_id = ANY(%s)", sorted(asked)))
        asked = set()
        for batch in _apart(late):
            asked |= _move(batch, now)
            done += len(batch)
    return done


def rehome_recent(*, since: datetime, before: int = NEWEST, now: datetime) -> int | None:
    """The same for merges that were made after `since`, the newest first: BATCH of them whose ids are smaller than
    `before`; and, to begin with, back again where merges were undone after it. Returns the id to go on before; None:
    that was the end."""
    if before == NEWEST:
        _send_back(_undone(since), now)
    merges = _standing("merged_at >= %s AND id < %s ORDER BY id DESC LIMIT %s", since, before, BATCH)
    rehome([each.absorbed_id for each in _late(merges)], now=now)
    return merges[-1].merge_id if len(merges) == BATCH else None


def _send_back(merges: Sequence[Merged], now: datetime) -> None:
    astray = rows.events_astray(merges) if merges else []
    if not _moves(astray):
        return
    everybody = {contact_id for pair in astray for contact_id in pair}
    everybody |= set(living_ids(everybody).values())
    hold(everybody)
    moves = _moves(astray)  # once more, under the locks
    if moves:
        rows.hand_on_events(moves)
        signals.events_went_back.send(sender=Merged, contact_ids=tuple(sorted(everybody)), now=now)


def _moves(astray: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(who has them, recorded for whom, whose they are), where that is somebody else."""
    living = living_ids({recorded for _, recorded in astray})
    whose = [(had, recorded, living.get(recorded, had)) for had, recorded in astray]
    return [move for move in whose if move[0] != move[2]]


def _standing(which: str, *params: datetime | int | list[int]) -> list[Merged]:
    return _merges(f"undone_at IS NULL AND {which}", *params)


def _undone(since: datetime) -> list[Merged]:
    return _merges("undone_at >= %s", since)


def _merges(which: str, *params: datetime | int | list[int]) -> list[Merged]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, survivor_id, absorbed_id FROM contact_merges WHERE {which}", params)
        return [Merged(*row) for row in cursor.fetchall()]


def _late(merges: Sequence[Merged]) -> list[Merged]:
    found = rows.that_came_late(merges)
    return [each for each in merges if each.merge_id in found]


def _apart(merges: Sequence[Merged]) -> list[list[Merged]]:
    """In batches in which nobody is twice. Pure."""
    batches: list[tuple[set[int], list[Merged]]] = []
    for each in merges:
        both = {each.survivor_id, each.absorbed_id}
        taken, batch = next((pair for pair in batches if not pair[0] & both), (set(), []))
        if not batch:
            batches.append((taken, batch))
        taken |= both
        batch.append(each)
    return [batch for _, batch in batches]


def _move(batch: Sequence[Merged], now: datetime) -> set[int]:
    """Returns the survivors that were merged into others themselves: what they got has farther to go."""
    profiles = hold({contact for each in batch for contact in (each.survivor_id, each.absorbed_id)})
    standing = [each for each in batch if profiles[each.absorbed_id].merged_into == each.survivor_id]
    if standing:
        give(standing, now=now)
        changes.tell([each.survivor_id for each in standing], EVERYTHING, now)
    return {each.survivor_id for each in standing if profiles[each.survivor_id].merged_into is not None}
