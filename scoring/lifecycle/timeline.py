"""Lifecycle moves on a contact's timeline."""

from __future__ import annotations

from django.db import connection

from contacts import timeline
from contacts.timeline import Before, Entry, Source
from scoring.lifecycle import stages, wording

QUALIFIED = frozenset({"mql", "sql"})


def moves(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, occurred_at, from_stage, to_stage, reason, source, actor FROM lifecycle_events
             WHERE contact_id = %s AND (occurred_at, id) < (%s, %s)
             ORDER BY occurred_at DESC, id DESC LIMIT %s
            """,
            [contact_id, before.at, before.id, limit],
        )
        rows = cursor.fetchall()
    names = stages.labels()
    return [
        Entry(
            at=at,
            id=id,
            type="lifecycle_changed",
            title=f"{'Became' if to_stage in QUALIFIED else 'Stage:'} {names.get(to_stage, to_stage)}",
            detail=" · ".join(
                part
                for part in (
                    f"before: {names.get(from_stage, from_stage)}" if from_stage else "",
                    reason,
                    f"by {wording.way(source, actor)}",
                )
                if part
            ),
            icon="trending_up",
            tone="rose",
        )
        for id, at, from_stage, to_stage, reason, source, actor in rows
    ]


timeline.register(Source("lifecycle", "Lifecycle", moves, tells=frozenset({"lifecycle_changed"})))
