"""`lifecycle_current`: where everybody is, kept by triggers on the log. The log is the truth: here it is compared with
what was derived from it, and derived anew. Whoever was erased is nowhere, whatever the log remembers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_WRONG = """
    SELECT count(*)
      FROM (SELECT DISTINCT ON (contact_id) contact_id, to_stage AS stage, occurred_at AS since, id AS event_id
              FROM lifecycle_events
             WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.id = contact_id AND c.erased_at IS NOT NULL)
             ORDER BY contact_id, id DESC) AS said
      FULL JOIN lifecycle_current AS kept USING (contact_id)
     WHERE (said.stage, said.since, said.event_id) IS DISTINCT FROM (kept.stage, kept.since, kept.event_id)
"""
_MENDED = """
    WITH said AS MATERIALIZED (
        SELECT DISTINCT ON (contact_id) contact_id, to_stage AS stage, occurred_at AS since, id AS event_id
          FROM lifecycle_events
         WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.id = contact_id AND c.erased_at IS NOT NULL)
         ORDER BY contact_id, id DESC),
    gone AS (
        DELETE FROM lifecycle_current kept WHERE NOT EXISTS (SELECT FROM said WHERE said.contact_id = kept.contact_id))
    INSERT INTO lifecycle_current AS kept (contact_id, stage, since, event_id)
    SELECT contact_id, stage, since, event_id FROM said
    ON CONFLICT (contact_id) DO UPDATE
       SET stage = EXCLUDED.stage, since = EXCLUDED.since, event_id = EXCLUDED.event_id
     WHERE (kept.stage, kept.since, kept.event_id)
           IS DISTINCT FROM (EXCLUDED.stage, EXCLUDED.since, EXCLUDED.event_id)
"""


def compare() -> int:
    """How many contacts are said to be elsewhere than the last row of the log says. One statement, over the whole
    log."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG)
        return int(cursor.fetchone()[0])


def rebuild() -> None:
    """Derive it anew, in the caller's transaction; nobody moves meanwhile."""
    assert connection.in_atomic_block, "a rebuild needs the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE lifecycle_events IN SHARE MODE")
        cursor.execute(_MENDED)


def counts() -> dict[str, int]:
    """How many contacts are in each stage now; stages with nobody are left out. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT stage, count(*) FROM lifecycle_current GROUP BY stage")
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Member:
    """Somebody who is in a stage, and how they came into it."""

    contact_id: int
    since: datetime
    reason: str
    source: str
    actor: str


@dataclass(frozen=True)
class Members:
    """One page; `before` is the cursor of the next one, None on the last."""

    members: tuple[Member, ...]
    before: tuple[datetime, int] | None


def members(stage: str, *, before: tuple[datetime, int] | None, limit: int) -> Members:
    """Who is in a stage, those who came last first. One statement, by index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.contact_id, s.since, l.reason, l.source, l.actor
              FROM lifecycle_current s JOIN lifecycle_events l ON l.id = s.event_id
             WHERE s.stage = %s AND (%s::timestamptz IS NULL OR (s.since, s.contact_id) < (%s, %s))
             ORDER BY s.since DESC, s.contact_id DESC LIMIT %s
            """,
            [stage, *((before[0], *before) if before else (None, None, None)), limit + 1],
        )
        rows = [Member(*row) for row in cursor.fetchall()]
    shown = tuple(rows[:limit])
    return Members(shown, (shown[-1].since, shown[-1].contact_id) if len(rows) > limit else None)
