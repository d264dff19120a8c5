"""Names that were said of one contact and belong to another: two profiles of one person, or two people of one family.

`identity.resolve` writes them down; people decide. A pair that was merged is no conflict any more, and becomes one
again when the merge is undone; a pair that was left apart for a name is not asked about again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts import audit, authority, changes
from contacts.changes import Change
from contacts.merged import follow

PAGE = 50
SCANNED = 500  # rows of the log that one look may read
LEFT_APART = "left_apart"


@dataclass(frozen=True)
class Conflict:
    """`contact_id` was called `value`, a `kind` of name that means `other_id`; both are alive."""

    id: int
    contact_id: int
    other_id: int
    kind: str
    value: str
    at: datetime
    source: str


@dataclass(frozen=True)
class Page:
    """`before`: where older ones go on; None: there are none."""

    conflicts: Sequence[Conflict]
    before: int | None


def open_conflicts(*, before: int | None = None, limit: int = PAGE) -> Page:
    """The newest first, one for each pair and name. Two statements and one for each link of a chain of merges, whatever
    the number; a page may be short where many are settled."""
    rows = _rows(before)
    living = follow({contact for row in rows for contact in row[1:3]}, _read_alive)
    found: dict[tuple[int, int, str, str], Conflict] = {}
    last = 0
    for change_id, contact_id, other_id, kind, value, at, source in rows:
        if len(found) == limit:
            return Page(list(found.values()), last)
        last = change_id
        one, other = living.get(contact_id), living.get(other_id)
        if one is None or other is None or one[0] == other[0] or not (one[1] and other[1]):
            continue
        first, second = sorted((one[0], other[0]))
        conflict = Conflict(change_id, one[0], other[0], kind, value, at, source)
        found.setdefault((first, second, kind, value), conflict)
    return Page(list(found.values()), last if len(rows) == SCANNED else None)


def find(conflict_id: int) -> Conflict | None:
    """An open conflict by the id of its change, or None."""
    page = open_conflicts(before=conflict_id + 1, limit=1)
    return next((each for each in page.conflicts if each.id == conflict_id), None)


def leave_apart(conflict: Conflict, *, now: datetime) -> None:
    """They are two people: this name is not asked about again. In the caller's transaction. Raises NotAllowed."""
    authority.require("contacts.change_contact")
    with connection.cursor() as cursor:
        cursor.execute("SELECT contact_id, (old #>> '{}')::bigint FROM contact_changes WHERE id = %s", [conflict.id])
        contact_id, other_id = cursor.fetchone()
    audit.note("contact.left_apart", of=("contact", contact_id), after={"from": other_id, "name": conflict.kind})
    changes.append([Change(contact_id, LEFT_APART, conflict.kind, other_id, conflict.value)], source="admin", now=now)


def _rows(before: int | None) -> list[tuple[int, int, int, str, str, datetime, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.id, c.contact_id, (c.old #>> '{}')::bigint, c.name, c.new #>> '{}', c.changed_at, c.source
              FROM contact_changes c
             WHERE c.kind = 'identity_conflict' AND c.id < %s AND c.old IS NOT NULL
               AND NOT EXISTS (SELECT FROM contact_changes s
                                WHERE s.contact_id = c.contact_id AND s.kind = 'left_apart' AND s.name = c.name
                                  AND s.old = c.old AND s.new = c.new)
             ORDER BY c.id DESC LIMIT %s
            """,
            [before or 2**63 - 1, SCANNED],
        )
        return cursor.fetchall()


def _read_alive(contact_ids: Sequence[int]) -> dict[int, tuple[int | None, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, merged_into_id, erased_at IS NULL FROM contacts WHERE id = ANY(%s)", [list(contact_ids)]
        )
        return {contact_id: (merged_into, alive) for contact_id, merged_into, alive in cursor.fetchall()}
