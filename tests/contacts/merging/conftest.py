"""People with names, a merge in a call, and where every row of theirs lies."""

from __future__ import annotations

from django.db import connection, transaction

from contacts import clock, holdings, identity, merging
from contacts.identifiers import Identifiers


def person(*names: str, **identifiers: str) -> int:
    """The contact that these identifiers mean."""
    with transaction.atomic():
        (contact_id,) = identity.resolve(
            [Identifiers(*names, **identifiers)], source="api", now=clock.now()
        ).contact_ids
    assert contact_id is not None
    return contact_id


def merge(survivor_id: int, absorbed_id: int) -> int:
    with transaction.atomic():
        return merging.merge(
            survivor_id=survivor_id, absorbed_id=absorbed_id, source="api", actor="test", now=clock.now()
        )


def undo(merge_id: int) -> None:
    with transaction.atomic():
        merging.undo(merge_id, actor="test", now=clock.now())


def whose() -> dict[tuple[str, int], int]:
    """(table, row) -> contact, of every row that a merge may move."""
    found: dict[tuple[str, int], int] = {}
    with connection.cursor() as cursor:
        for holding in holdings.all_holdings():
            if holding.merge == holdings.MOVE:
                cursor.execute(f"SELECT {holding.key}, {holding.contact} FROM {holding.table}")
                found.update({(holding.table, row_id): contact_id for row_id, contact_id in cursor.fetchall()})
    return found
