"""Contacts that were merged into others: whoever asks for one is told of the contact that it lives on in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

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
    living: dict[int, tuple[int, Value]] = {}
    for contact_id in asked & found.keys():
        last, hops = contact_id, 0
        while (into := found[last][0]) is not None and into in found and hops < len(found):
            last, hops = into, hops + 1
        if found[last][0] is None:
            living[contact_id] = (last, found[last][1])
    return living
