"""Exits that time alone brings about ("inactive for 30 days"): everybody in such a version is looked at again, a slice
at a time and without locks; of whom a rule seems to hold is asked for a check, which decides."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from contacts import freezing
from workflows import versions
from workflows.watches import exit_rules, watch_checks

EVERY = timedelta(minutes=1)  # from the beginning of one look at everybody to that of the next
LEAST = timedelta(seconds=1)  # under a TIME_SPEED
SLICE = 2000  # contacts


def every() -> timedelta:
    """How often what time alone may change is looked at."""
    return max(EVERY / settings.TIME_SPEED, LEAST)


def begin(version_id: int, *, now: datetime) -> None:
    """In the transaction that publishes the version."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO exit_sweeps (version_id, next_at, position) VALUES (%s, %s, 0) ON CONFLICT DO NOTHING",
            [version_id, now + every()],
        )


def end(version_ids: Collection[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM exit_sweeps WHERE version_id = ANY(%s)", [list(version_ids)])


def due(*, now: datetime) -> bool:
    """Whether a look at everybody has to begin or to go on."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM exit_sweeps WHERE next_at <= %s AND {freezing.THAWED})", [now])
        return cursor.fetchone()[0]


def sweep_batch(now: datetime, *, size: int = SLICE) -> bool:
    """Look at one slice of the people in one version that is due, in the caller's transaction. Returns whether there
    was one. Five statements."""
    assert connection.in_atomic_block, "sweep_batch needs the caller's transaction"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.version_id, s.position, v.workflow_id FROM exit_sweeps s"
            "  JOIN workflow_versions v ON v.id = s.version_id"
            f" WHERE s.next_at <= %s AND {freezing.THAWED}"
            " ORDER BY s.next_at LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED",
            [now],
        )
        found = cursor.fetchone()
        if found is None:
            return False
        version_id, position, workflow_id = found
        # Contact by contact, as the index of unfinished enrolments has them. Those in other versions come along: asked
        # for one version, the planner expects so few that it reads and sorts all who are left, for each slice.
        cursor.execute(
            """
            SELECT contact_id FROM workflow_enrolments
             WHERE workflow_id = %s AND state IN ('pending', 'active', 'waiting') AND contact_id > %s
             ORDER BY contact_id LIMIT %s
            """,
            [workflow_id, position, size],
        )
        contact_ids = [contact_id for (contact_id,) in cursor.fetchall()]
        whole = len(contact_ids) == size
        cursor.execute(
            "UPDATE exit_sweeps SET position = %s, next_at = CASE WHEN %s THEN next_at ELSE %s END"
            " WHERE version_id = %s",
            [contact_ids[-1] if whole else 0, whole, now + every(), version_id],
        )
    if contact_ids:
        watch_checks.ask(_suspects(version_id, workflow_id, contact_ids, now), now=now)
    return True


def _suspects(version_id: int, workflow_id: int, contact_ids: list[int], now: datetime) -> dict[str, list[int]]:
    """Lane -> contacts of whom a rule seems to hold. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, lane, contact_id FROM workflow_enrolments
             WHERE workflow_id = %s AND version_id = %s AND contact_id = ANY(%s)
               AND state IN ('pending', 'active', 'waiting')
            """,
            [workflow_id, version_id, contact_ids],
        )
        rows = cursor.fetchall()
    version = versions.load([version_id])[version_id]
    moving = [rule for rule in version.exits if rule.moves_with_time]
    seem = exit_rules.judge(moving, version.definition.settings, [row[0] for row in rows], now=now)
    found: dict[str, list[int]] = {}
    for enrolment_id, lane, contact_id in rows:
        if enrolment_id in seem:
            found.setdefault(lane, []).append(contact_id)
    return found
