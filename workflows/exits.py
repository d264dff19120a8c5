"""Leaving a workflow before its end, for a reason that does not come from a step."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from delivery import outbox
from workflows import signals
from workflows.signals import Moved


def leave_all(*, workflow_id: int, reason: str, now: datetime) -> int:
    """Every unfinished enrolment of the workflow leaves; messages of theirs that are still queued are cancelled.

    Returns how many left. Call inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH leaving AS (
                SELECT id FROM workflow_enrolments
                 WHERE workflow_id = %s AND state IN ('pending', 'active', 'waiting') ORDER BY id FOR UPDATE),
            gone AS (
                UPDATE workflow_enrolments e
                   SET state = 'exited', exit_reason = %s, finished_at = %s, seq = seq + 1
                  FROM leaving WHERE e.id = leaving.id
                RETURNING e.id, e.seq, e.contact_id, e.version_id, e.step),
            written AS (
                INSERT INTO workflow_journal
                       (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
                SELECT id, seq, contact_id, version_id, step, '', 'left', '', jsonb_build_object('reason', %s), %s
                  FROM gone)
            SELECT id, version_id FROM gone
            """,
            [workflow_id, reason, now, reason, now],
        )
        gone = cursor.fetchall()
    if gone:
        outbox.cancel_queued(enrolment_ids=[row[0] for row in gone], reason=reason, now=now)
        per_version: dict[int, int] = {}
        for _, version_id in gone:
            per_version[version_id] = per_version.get(version_id, 0) + 1
        deltas = tuple(Moved(workflow_id, version, "", f"exited:{reason}", n) for version, n in per_version.items())
        signals.enrolments_moved.send(sender=None, deltas=deltas, now=now)
    return len(gone)
