"""Contacts that were merged into others: whoever asks for one is told of the contact that it lives on in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from django.db import connection

Value = TypeVar("Value")
Reader = Callable[[Sequence[int]], Mapping[int, tuple[int | None, Value]]]


def follow(contact_ids: Iterable[int], read: Reader[Value]) -> dict[int, tuple[int, Value]]:
    """Contact id -> (id of the living contact, what `read` says of that one); ids that nobody has are left out.

    `read(ids)` gives id -> (merged_into, value). It is called once where nobody is merged, and once more for every
    link of the longest chain; a plain loop, so that the usual case is a plain index lookup."""
    asked = set(contact_ids)
    found: dict[int, tuple[int | None, Value]] = {}
    looked_for: set[int] = set()
    missing = asked
    while missing:
        found.update(read(sorted(missing)))
        looked_for |= missing
        missing = {into for into, _ in found.values() if into is not None} - looked_for
    if found.keys() <= asked and all(into is None for into, _ in found.values()):
        return {contact_id: (contact_id, value) for contact_id, (_, value) in found.items()}
    living: dict[int, tuple[int, Value]] = {}
    for contact_id in asked & found.keys():
        last, hops = contact_id, 0
        while (into := found[last][0]) is not None and into in found and hops < len(found):
            last, hops = into, hops + 1
        if found[last][0] is None:
            living[contact_id] = (last, found[last][1])
    return living


def living_ids(contact_ids: Iterable[int]) -> dict[int, int]:
    """Contact id -> id of the contact that it lives on in, itself as a rule; ids that nobody has are left out."""
    return {asked: living for asked, (living, _) in follow(contact_ids, _read_merged_into).items()}


def lock_living(contact_ids: Sequence[int]) -> list[int]:
    """Lock these contacts in the caller's transaction, and say who they are: whoever was merged while the lock was
    waited for is the contact that they live on in, which is locked then, too. One statement as a rule."""
    living = list(contact_ids)
    while True:
        moved = _lock(living)
        if not moved:
            return living
        living = [moved.get(contact_id, contact_id) for contact_id in living]


def _lock(contact_ids: Collection[int]) -> dict[int, int]:
    """Those that were merged, and into whom: of the row itself, a statement that waited reads what it waited for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, merged_into_id FROM contacts WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [sorted(set(contact_ids))],
        )
        return {contact_id: into for contact_id, into in cursor.fetchall() if into is not None}


def _read_merged_into(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, None]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, merged_into_id FROM contacts WHERE id = ANY(%s)", [list(contact_ids)])
        return {contact_id: (merged_into, None) for contact_id, merged_into in cursor.fetchall()}
