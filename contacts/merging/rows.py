"""The rows of every table that holds something of a person: given to the survivor, and by the ledger given back.

One statement a table that has any, however many merges; the tables are those of `contacts.holdings`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connection

from contacts import holdings
from contacts.guarded import guarded_path
from contacts.holdings import DROP, MOVE, UNITE, Holding
from contacts.signals import Merged

PIECE = 10_000  # ids a row of the ledger

_PAIRS = (
    "unnest(%(merges)s::bigint[], %(survivors)s::bigint[], %(absorbed)s::bigint[]) AS p(merge_id, survivor, absorbed)"
)


def lock_worked_on(contact_ids: Collection[int]) -> None:
    """Hold what workers hold while they wait for a contact, before the contacts are locked: as they do, so that nobody
    waits in a circle. What is added meanwhile may still meet us; then PostgreSQL ends one of the two, which is tried
    again."""
    with connection.cursor() as cursor:
        for holding in _that(MOVE, UNITE, DROP):
            if holding.worked_on:
                cursor.execute(
                    f"SELECT FROM {holding.table} WHERE {holding.contact} = ANY(%s) ORDER BY {holding.key} FOR UPDATE",
                    [sorted(contact_ids)],
                )


def move(merges: Sequence[Merged]) -> None:
    """Give everything of the absorbed contacts to their survivors, and write down which rows that were.

    Nobody may be in two of the merges. The contacts are locked."""
    params = _params(merges)
    filled = _filled(params["absorbed"])
    with guarded_path(), connection.cursor() as cursor:
        for holding in (each for each in _that(MOVE, UNITE) if each.table in filled):
            cursor.execute(
                f"""
                WITH moved AS (
                    UPDATE {holding.table} t SET {holding.contact} = p.survivor FROM {_PAIRS}
                     WHERE t.{holding.contact} = p.absorbed AND t.{holding.contact} = ANY(%(absorbed)s::bigint[])
                       AND {_free(holding)}
                    RETURNING p.merge_id, t.{holding.key} AS row_id)
                INSERT INTO contact_merge_rows (merge_id, "table", row_ids)
                SELECT merge_id, %(table)s, array_agg(row_id ORDER BY row_id)
                  FROM (SELECT merge_id, row_id,
                               (row_number() OVER (PARTITION BY merge_id ORDER BY row_id) - 1) / %(piece)s AS piece
                          FROM moved) numbered
                 GROUP BY merge_id, piece
                """,
                {**params, "table": holding.table, "piece": PIECE},
            )
            if holding.merge == MOVE and holding.once:
                _note_what_stayed(holding, merges)
        for holding in (each for each in _that(DROP, UNITE) if each.table in filled):
            cursor.execute(f"DELETE FROM {holding.table} WHERE {holding.contact} = ANY(%(absorbed)s::bigint[])", params)


def move_back(merge: Merged) -> None:
    """Give back what this merge had moved and the survivor still has; events that were recorded since for the
    absorbed contact, or for those who had been merged into it, too. The contacts are locked."""
    with guarded_path(), connection.cursor() as cursor:
        pieces = _ledger(merge.merge_id)
        for holding in _that(MOVE, UNITE):
            for row_ids in pieces.get(holding.table, ()):  # written out: joined, the planner expects few rows
                cursor.execute(
                    f"UPDATE {holding.table} t SET {holding.contact} = %(absorbed)s"
                    f" WHERE t.{holding.key} = ANY(%(rows)s::bigint[]) AND t.{holding.contact} = %(survivor)s"
                    f" AND {_room(holding, '%(absorbed)s')}",
                    {**_ids(merge), "rows": row_ids},
                )
        cursor.execute(
            """
            WITH RECURSIVE family AS (
                SELECT %(absorbed)s::bigint AS id
                UNION SELECT c.id FROM contacts c JOIN family f ON c.merged_into_id = f.id)
            UPDATE contact_events SET contact_id = %(absorbed)s
             WHERE contact_id = %(survivor)s AND recorded_contact_id IN (SELECT id FROM family)
            """,
            _ids(merge),
        )


def events_astray(merges: Sequence[Merged]) -> list[tuple[int, int]]:
    """Of merges that were undone: (contact that has them, contact whose id was given) of events that the survivors have
    and that were recorded for the absorbed contacts, or for those who live on in them. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE family AS (
                SELECT unnest(%(absorbed)s::bigint[]) AS id
                UNION SELECT c.id FROM contacts c JOIN family f ON c.merged_into_id = f.id)
            SELECT DISTINCT contact_id, recorded_contact_id FROM contact_events
             WHERE contact_id = ANY(%(survivors)s::bigint[]) AND recorded_contact_id <> contact_id
               AND recorded_contact_id IN (SELECT id FROM family)
            """,
            _params(merges),
        )
        return cursor.fetchall()


def hand_on_events(moves: Collection[tuple[int, int, int]]) -> None:
    """Events of (whom, recorded for whom) become (whose). The contacts are locked."""
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE contact_events e SET contact_id = m.whose
              FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS m(had, recorded, whose)
             WHERE e.contact_id = m.had AND e.recorded_contact_id = m.recorded
            """,
            [list(column) for column in zip(*moves, strict=True)],
        )


def _ledger(merge_id: int) -> dict[str, list[list[int]]]:
    """Table -> pieces of row ids."""
    pieces: dict[str, list[list[int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute('SELECT "table", row_ids FROM contact_merge_rows WHERE merge_id = %s ORDER BY id', [merge_id])
        for table, row_ids in cursor.fetchall():
            pieces.setdefault(table, []).append(row_ids)
    return pieces


def that_came_late(merges: Sequence[Merged]) -> set[int]:
    """The merges whose absorbed contact has rows (again) that belong to its survivor. One statement."""
    if not merges:
        return set()
    parts = [
        f"SELECT p.merge_id FROM {_PAIRS} WHERE EXISTS"
        f" (SELECT FROM {holding.table} t WHERE t.{holding.contact} = p.absorbed AND {_free(holding)})"
        for holding in _that(MOVE, UNITE, DROP)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ".join(parts), _params(merges))
        return {merge_id for (merge_id,) in cursor.fetchall()}


def remember(merge_id: int, what: str, row_ids: Collection[int]) -> None:
    """For the floors above: keep these ids with the merge, under a name that is no table's, until it is undone."""
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO contact_merge_rows (merge_id, "table", row_ids) VALUES (%s, %s, %s)',
            [merge_id, what, sorted(row_ids)],
        )


def remembered(merge_id: int, what: str) -> list[int]:
    return [row_id for piece in _ledger(merge_id).get(what, []) for row_id in piece]


def _filled(contact_ids: Sequence[int]) -> set[str]:
    """The tables in which any of these contacts has anything: a visitor's device is in few. One statement."""
    parts = [
        f"SELECT '{holding.table}' WHERE EXISTS"
        f" (SELECT FROM {holding.table} WHERE {holding.contact} = ANY(%(contacts)s::bigint[]))"
        for holding in _that(MOVE, UNITE, DROP)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), {"contacts": list(contact_ids)})
        return {table for (table,) in cursor.fetchall()}


def _note_what_stayed(holding: Holding, merges: Sequence[Merged]) -> None:
    """What the survivor had already. It stays even when the survivor loses its own: else a tag that is removed from a
    merged contact would come back."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO contact_merge_rows (merge_id, "table", row_ids)
            SELECT p.merge_id, %(stayed)s, array_agg(t.{holding.key})
              FROM {_PAIRS} JOIN {holding.table} t ON t.{holding.contact} = p.absorbed
             WHERE {_not_stayed(holding)} GROUP BY p.merge_id
            """,
            {**_params(merges), "stayed": _stayed(holding)},
        )


def _stayed(holding: Holding) -> str:
    return f"{holding.table}: stayed"


def _not_stayed(holding: Holding) -> str:
    return (
        "NOT EXISTS (SELECT FROM contact_merge_rows r WHERE r.merge_id = p.merge_id"
        f" AND r.\"table\" = '{_stayed(holding)}' AND t.{holding.key} = ANY(r.row_ids))"
    )


def _free(holding: Holding) -> str:
    """Whether a row of the absorbed contact goes to the survivor."""
    return f"{_room(holding)} AND {_not_stayed(holding)}" if holding.once else "true"


def _room(holding: Holding, owner: str = "p.survivor") -> str:
    """Whether the new owner has no such row yet, of those that a contact has once."""
    if not holding.once:
        return "true"
    same = " AND ".join(f"o.{column} = t.{column}" for column in holding.once)
    return f"NOT EXISTS (SELECT FROM {holding.table} o WHERE o.{holding.contact} = {owner} AND {same})"


def _that(*ways: str) -> list[Holding]:
    return [each for each in holdings.all_holdings() if each.merge in ways and each.contact]


def _params(merges: Sequence[Merged]) -> dict[str, list[int]]:
    return {
        "merges": [each.merge_id for each in merges],
        "survivors": [each.survivor_id for each in merges],
        "absorbed": [each.absorbed_id for each in merges],
    }


def _ids(merge: Merged) -> dict[str, int]:
    return {"merge": merge.merge_id, "survivor": merge.survivor_id, "absorbed": merge.absorbed_id}
