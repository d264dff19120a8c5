"""Whose membership may be wrong: found chunk by chunk and without locks. It is only a suspicion; the one path of
`membership` decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from contacts.audiences.definitions import Definition
from contacts.conditions import compile_condition

# The members of a chunk are read once, by their range of contact ids, instead of being asked for contact by contact.
_FIND = """
    SELECT found.id, found.wrong FROM (
        SELECT c.id, ARRAY[{doubts}] AS wrong
          FROM contacts c
          LEFT JOIN (SELECT m.contact_id, array_agg(m.segment_id) AS segments FROM segment_members m
                      WHERE m.contact_id > %s AND m.contact_id <= %s
                      GROUP BY m.contact_id) inside ON inside.contact_id = c.id
         WHERE c.id > %s AND c.id <= %s {only} OFFSET 0) found
     WHERE TRUE = ANY(found.wrong) ORDER BY found.id
"""
_DOUBT = (
    "(c.merged_into_id IS NULL AND c.erased_at IS NULL AND {condition}) "
    "<> COALESCE(%s::bigint = ANY(inside.segments), FALSE)"
)


def next_chunk(*, after: int, size: int) -> int | None:
    """The last contact id of the next `size` contacts behind `after`; None where there are no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM (SELECT id FROM contacts WHERE id > %s ORDER BY id LIMIT %s) chunk", [after, size]
        )
        return cursor.fetchone()[0]


def find(
    definitions: Sequence[Definition], *, after: int, upto: int, now: datetime, only: Sequence[int] | None = None
) -> list[tuple[int, list[Definition]]]:
    """(contact id, segments) among the contacts behind `after` up to `upto` (`only` these) whose membership is not what
    the condition says at `now`, by contact id. One statement."""
    doubts, params = [], []
    for definition in definitions:
        condition = compile_condition(definition.condition, now=now)
        doubts.append(_DOUBT.format(condition=condition.text))
        params += [*condition.params, definition.id]
    with connection.cursor() as cursor:
        cursor.execute(
            _FIND.format(doubts=", ".join(doubts), only="" if only is None else "AND c.id = ANY(%s)"),
            [*params, after, upto, after, upto, *([] if only is None else [list(only)])],
        )
        return [
            (contact_id, [definition for definition, doubted in zip(definitions, wrong, strict=True) if doubted])
            for contact_id, wrong in cursor.fetchall()
        ]
