"""Which events enrolments and messages came from, for the links of traces (`contacts.tracing`)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from contacts import tracing

# an event is found in the months in which it may have been recorded
_CONTEXTS = """
    SELECT DISTINCT v.context ->> 'traceparent' FROM {source}
      JOIN contact_events v ON v.id = e.entry_event_id
       AND v.recorded_at BETWEEN e.entered_at - interval '40 days' AND e.entered_at + interval '1 minute'
     WHERE {key} = ANY(%s) AND v.context ? 'traceparent' LIMIT %s
"""
_OF_ENROLMENTS = _CONTEXTS.format(source="workflow_enrolments e", key="e.id")
_OF_MESSAGES = _CONTEXTS.format(
    source="messages m JOIN workflow_enrolments e ON e.id = m.enrolment_id", key="m.id"
)  # fmt: skip


def register() -> None:
    """Called once, when the app is ready."""
    tracing.register_finder("enrolment", of_enrolments)
    tracing.register_finder("message", of_messages)


def of_enrolments(enrolment_ids: Sequence[int]) -> list[str]:
    return _found(_OF_ENROLMENTS, enrolment_ids)


def of_messages(message_ids: Sequence[int]) -> list[str]:
    return _found(_OF_MESSAGES, message_ids)


def _found(statement: str, ids: Sequence[int]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(ids), tracing.MOST_LINKS])
        return [traceparent for (traceparent,) in cursor.fetchall()]
