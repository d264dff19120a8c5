"""The audit log: every change of consequence with what was before and what is after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import authority, personal, seals
from contacts.guarded import guarded_path
from contacts.models import AuditEntry

Facts = Mapping[str, Any]


def note(
    what: str,
    *,
    of: tuple[str, object],
    name: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """In the transaction of the change, at whose time it is dated: either both are there or neither.

    `what`: the deed, `<thing>.<past tense>`. `of`: the kind of thing and its id or slug. `before`, `after`: what
    changed, as JSON; None where there was nothing, or is nothing any more. They hold no secret and nothing personal
    beyond ids (an address that a condition names is masked), and of what is large no more than its hash. Who did it and
    in which request is known here (`contacts.authority`)."""
    kind, key = of
    note_each(what, kind, [(key, before, after)], name=name)


def note_each(
    what: str, kind: str, things: Iterable[tuple[object, Facts | None, Facts | None]], *, name: str = ""
) -> None:
    """The same deed done to several things of one kind: (id, before, after) each. One statement."""
    assert connection.in_atomic_block, "an entry is written in the transaction of its change"
    actor = authority.current()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor_kind=actor.kind,
            actor=actor.name,
            what=what,
            object_type=kind,
            object_id=str(key),
            object_name=personal.masked(name)[:200],
            before=personal.without_addresses(before),
            after=personal.without_addresses(after),
            request_id=authority.request_id(),
        )
        for key, before, after in things
    )


def changed(before: Facts, after: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two states of a thing only what differs, so that an entry says what changed and no more."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def prune(*, before: datetime, limit: int, now: datetime) -> bool:
    """Let go of the oldest entries, on the guarded path, in the caller's transaction; whether there may be more. Their
    seals stay, and one more says until when entries are gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM audit_entries WHERE at < %s)", [before])
        if not cursor.fetchone()[0]:
            return False
    seals.seal_before_pruning(now=now)
    with guarded_path(), connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM audit_entries
             WHERE id IN (SELECT id FROM audit_entries e WHERE at < %s
                             AND NOT EXISTS (SELECT FROM audit_unsealed u WHERE u.entry_id = e.id)
                           ORDER BY at, id LIMIT %s)
            """,
            [before, limit],
        )
        gone = cursor.rowcount
    if gone:
        seals.note_pruning(before=before, now=now)
    return gone == limit
