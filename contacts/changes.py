"""What changed in a contact, with the old and the new value: "why", undo, merge and rehearsal read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import signals

HEARD = frozenset({"attribute", "tag", "list", "field", "created"})  # changes that a condition may ask about


@dataclass(frozen=True)
class Change:
    """`kind`: attribute · field · tag · list · identity · identity_conflict; `old` and `new` are JSON values."""

    contact_id: int
    kind: str
    name: str
    old: Any = None
    new: Any = None
    source: str = ""  # empty: the source of the whole call


def append(changes: Sequence[Change], *, source: str, now: datetime, lane: str = "urgent") -> None:
    """Write them, in the caller's transaction, in one statement; tells the floors above what conditions can see.

    `source`: api · import · event · admin · workflow:<slug>."""
    if not changes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contact_changes (contact_id, changed_at, kind, name, old, new, source)
            SELECT contact_id, %s, kind, name, old::jsonb, new::jsonb, source
              FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
                   WITH ORDINALITY AS change(contact_id, kind, name, old, new, source, position)
             ORDER BY position
            """,
            [
                now,
                [change.contact_id for change in changes],
                [change.kind for change in changes],
                [change.name for change in changes],
                [_json(change.old) for change in changes],
                [_json(change.new) for change in changes],
                [change.source or source for change in changes],
            ],
        )
    heard = [change for change in changes if change.kind in HEARD]
    tell([change.contact_id for change in heard], {change.kind for change in heard}, now, lane=lane)


def tell(contact_ids: Sequence[int], kinds: set[str], now: datetime, *, lane: str = "urgent") -> None:
    """Send `contacts_changed`, inside the caller's transaction, if there is anything to tell."""
    if contact_ids:
        signals.contacts_changed.send(
            sender=Change, contact_ids=tuple(sorted(set(contact_ids))), kinds=frozenset(kinds), lane=lane, now=now
        )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
