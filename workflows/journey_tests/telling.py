"""What a contact did in a case, in sentences and in order: for whoever has to find out why a check does not hold."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import connection

from workflows import wording
from workflows.journey_tests.checks import shown

_EVENTS = """
    SELECT occurred_at, id, type, processed FROM contact_events WHERE contact_id = %s
     AND type NOT IN ('email_sent', 'send_suppressed', 'send_suppressed_frequency_cap')
"""
_REFUSALS = """
    SELECT r.refused_at, r.id, w.slug, r.reason FROM entry_refusals r JOIN workflows w ON w.id = r.workflow_id
     WHERE r.contact_id = %s
"""
_ENROLMENTS = """
    SELECT e.entered_at, e.id, w.slug, v.number, e.state, e.finished_at, e.exit_reason, e.step
      FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
      JOIN workflow_versions v ON v.id = e.version_id WHERE e.contact_id = %s
"""
_JOURNAL = """
    SELECT at, enrolment_id * 1000 + seq, step, step_type, outcome, port, detail::text
      FROM workflow_journal WHERE contact_id = %s
"""
_MESSAGES = """
    SELECT s.changed_at, m.id, t.slug, s.state, s.reason FROM messages m JOIN message_states s ON s.message_id = m.id
      JOIN template_versions v ON v.id = m.template_version_id JOIN templates t ON t.id = v.template_id
     WHERE m.contact_id = %s
"""


def trace(contact_id: int) -> list[str]:
    """One line for each thing that happened, the oldest first."""
    lines: list[tuple[datetime, int, int, str]] = []
    for at, number, kind, processed in _rows(_EVENTS, contact_id):
        held = "" if processed else " (without tracking consent: it counts for nothing)"
        lines.append((at, 0, number, f"did {kind}{held}"))
    for at, number, slug, reason in _rows(_REFUSALS, contact_id):
        lines.append((at, 1, number, f"did not enter {slug}: {wording.refusal(reason)}"))
    for at, number, slug, version, state, finished_at, reason, step in _rows(_ENROLMENTS, contact_id):
        lines.append(
            (at, 2, number, f"entered {slug} version {version}{' and waits for a place' * (state == 'pending')}")
        )
        if finished_at is not None:
            lines.append((finished_at, 5, number, f"finished {slug}: {wording.exit_reason(reason)}, at step {step}"))
    for at, number, step, step_type, outcome, port, detail in _rows(_JOURNAL, contact_id):
        lines.append((at, 3, number, f"step {step}: {wording.journal(step_type, outcome, port, json.loads(detail))}"))
    for at, number, template, state, reason in _rows(_MESSAGES, contact_id):
        why = f" ({wording.refusal(reason)})" if reason else ""
        lines.append((at, 4, number, f"message {template}: {state.replace('_', ' ')}{why}"))
    return [f"{shown(at)}  {text}" for at, _, _, text in sorted(lines)]


def _rows(statement: str, contact_id: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [contact_id])
        return cursor.fetchall()
