"""How many are in a list or a segment, or have a tag. Counting reads every member, so of many at once nobody is counted
beyond COUNTED: there the statistics of the table say about how many they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

COUNTED = 10_000

_TABLES = {
    "segment": ("segment_members", "segment_id"),
    "list": ("list_members", "list_id"),
    "tag": ("contact_tags", "tag_id"),
}
# what the survivor of a merge had already stays with the contact that was absorbed
_LIVING = (
    "EXISTS (SELECT FROM contacts c WHERE c.id = m.contact_id AND c.merged_into_id IS NULL AND c.erased_at IS NULL)"
)


@dataclass(frozen=True)
class Size:
    """`estimated`: it is more than COUNTED, and about `number`."""

    number: int
    estimated: bool


def sizes(of: str, ids: Sequence[int]) -> dict[int, Size]:
    """Of each of these (`of`: segment, list, tag), by its id; whatever their sizes, at a small price."""
    upto = COUNTED + 1
    return {id: size_of(of, id, number, upto) for id, number in counts(of, ids, upto=upto).items()}


def exact_size(of: str, id: int) -> Size:
    return Size(counts(of, [id])[id], False)


def size_of(of: str, id: int, counted: int, upto: int | None) -> Size:
    """Of one that was counted no further than `upto` (None: to its end)."""
    beyond = upto is not None and counted >= upto
    return Size(max(_expected(of, id), counted) if beyond else counted, beyond)


def counts(of: str, ids: Sequence[int], *, upto: int | None = None) -> dict[int, int]:
    """Members of each of these, counted no further than `upto` (None: all of them). One statement."""
    if not ids:
        return {}
    table, column = _TABLES[of]
    # an id each, not a column of them: the planner knows which of them are large, and does not take all for middling
    one = f"SELECT %s::bigint, count(*) FROM (SELECT FROM {table} m WHERE {column} = %s AND {_LIVING} LIMIT %s) n"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([one] * len(ids)), [each for id in ids for each in (id, id, upto)])
        return dict(cursor.fetchall())


def _expected(of: str, id: int) -> int:
    """By the planner, who knows about how many rows there are, and which share of them each large one has."""
    table, column = _TABLES[of]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE {column} = %s", [id])
        plan = cursor.fetchone()[0]
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])
