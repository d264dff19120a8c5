"""Leaving a workflow before its end, for a reason that does not come from a step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection

from contacts import audit, authority
from delivery import outbox
from workflows import admission, condition_nodes, signals, variants
from workflows.signals import Moved


def take_out(enrolment_ids: Collection[int], now: datetime, *, by: str) -> int:
    """Somebody takes them out by hand. Returns how many left; the others had finished. Call inside a transaction.
    Raises NotAllowed."""
    authority.require("workflows.change_enrolment")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, state FROM workflow_enrolments"
            " WHERE id = ANY(%s) AND state IN ('pending', 'active', 'waiting') ORDER BY id FOR UPDATE",
            [list(enrolment_ids)],
        )
        after = {"state": "exited", "reason": "manually_removed"}
        audit.note_each(
            "enrolment.taken_out", "enrolment", [(pk, {"state": was}, after) for pk, was in cursor.fetchall()]
        )
    details = {enrolment_id: {"by": by} for enrolment_id in enrolment_ids}
    return leave(enrolment_ids, reason="manually_removed", now=now, details=details)


def leave_of(contact_ids: Collection[int], *, reason: str, now: datetime) -> int:
    """Every unfinished enrolment of these contacts leaves. Returns how many left. Call inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM workflow_enrolments"
            " WHERE contact_id = ANY(%s) AND state IN ('pending', 'active', 'waiting') ORDER BY id FOR UPDATE",
            [list(contact_ids)],
        )
        enrolment_ids = [enrolment_id for (enrolment_id,) in cursor.fetchall()]
    return leave(enrolment_ids, reason=reason, now=now)


def leave(
    enrolment_ids: Collection[int],
    *,
    reason: str,
    now: datetime,
    details: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> int:
    """Those of these enrolments that are unfinished leave, with a row in their journals; messages of theirs that are
    still queued are cancelled, and the counters hear of it. Returns how many left. Call inside a transaction.

    `details`: what the journal says beside the reason, by enrolment."""
    if not enrolment_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH leaving AS (
                SELECT id, state FROM workflow_enrolments
                 WHERE id = ANY(%s) AND state IN ('pending', 'active', 'waiting') ORDER BY id FOR UPDATE),
            gone AS (
                UPDATE workflow_enrolments e
                   SET state = 'exited', exit_reason = %s, finished_at = %s, seq = seq + 1,
                       held = false, waiting_since = NULL
                  FROM leaving WHERE e.id = leaving.id
                RETURNING e.id, e.seq, e.contact_id, e.workflow_id, e.version_id, e.step, e.capped,
                          leaving.state AS was),
            written AS (
                INSERT INTO workflow_journal
                       (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
                SELECT gone.id, seq, contact_id, version_id, step, '', 'left', '',
                       jsonb_build_object('reason', %s) || COALESCE(d.detail, '{}'), %s
                  FROM gone LEFT JOIN json_to_recordset(%s) AS d(id bigint, detail jsonb) USING (id))
            SELECT id, workflow_id, version_id, contact_id, capped, step, was FROM gone
            """,
            [
                sorted(enrolment_ids),
                reason,
                now,
                reason,
                now,
                json.dumps([{"id": enrolment_id, "detail": dict(detail)} for enrolment_id, detail in details.items()]),
            ],
        )
        gone = cursor.fetchall()
    if gone:
        outbox.cancel_queued(enrolment_ids=[row[0] for row in gone], reason=reason, now=now)
        signals.enrolments_moved.send(sender=None, deltas=_moved(gone, f"exited:{reason}"), now=now)
        condition_nodes.mark([row[3] for row in gone], lane="bulk", now=now)
        if any(row[4] for row in gone):
            admission.ring()
    return len(gone)


def _moved(gone: Sequence[tuple[Any, ...]], metric: str) -> tuple[Moved, ...]:
    """Their end, also by the variants that they had taken; and where they stand no longer."""
    taken = variants.of({enrolment_id: version_id for enrolment_id, _, version_id, *_ in gone})
    counts: Counter[tuple[int, int, str, str, str]] = Counter()
    for enrolment_id, workflow_id, version_id, _, _, step, was in gone:
        counts[workflow_id, version_id, "", metric, ""] += 1
        counts[workflow_id, version_id, step, was, ""] -= 1
        for each in taken.get(enrolment_id, ()):
            counts[workflow_id, version_id, "", metric, each.name] += 1
    return tuple(
        Moved(workflow_id, version_id, step, told, amount, name)
        for (workflow_id, version_id, step, told, name), amount in sorted(counts.items())
    )
