"""What the demonstration shows while it runs and when it ends: read from the tables, in two statements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection


@dataclass(frozen=True)
class Journey:
    """One workflow's people."""

    name: str
    entered: int
    here_now: int
    waiting: int
    completed: int
    exited: int
    failed: int


@dataclass(frozen=True)
class Figures:
    contacts: int
    events: int
    enrolments: int
    accepted: int
    rejected: int
    suppressed: int
    capped: int
    in_doubt: int
    opened: int
    mqls: int
    skipped: Mapping[str, int]  # reason -> messages that were not sent because of it
    journeys: tuple[Journey, ...]
    open_work: Mapping[str, int]  # what is still under way, by name; empty when all is done


OPEN_WORK = """
SELECT jsonb_build_object(
    'events to match', (SELECT count(*) FROM pending_events),
    'contacts under way', (SELECT count(*) FROM workflow_enrolments WHERE finished_at IS NULL),
    'messages under way', (SELECT count(*) FROM outbox),
    'mails nobody has looked at', (SELECT count(*) FROM sandbox_mails WHERE reacts_at IS NOT NULL),
    'webhooks to fold', (SELECT count(*) FROM webhook_inbox WHERE folded_at IS NULL),
    -- scores decay all the time: only what is overdue is unfinished work
    'scores to check', (SELECT count(*) FROM score_checks WHERE check_at <= %(now)s - interval '1.5 seconds'),
    'counters to fold', (SELECT count(*) FROM counter_deltas))
"""

TOTALS = f"""
SELECT (SELECT count(*) FROM contacts),
       (SELECT count(*) FROM contact_events WHERE source = 'api'),
       (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM message_states GROUP BY 1) AS s),
       (SELECT jsonb_object_agg(reason, n) FROM (
            SELECT reason, count(*) AS n FROM contact_send_log WHERE kind IN ('suppressed', 'capped') GROUP BY 1) AS r),
       (SELECT count(DISTINCT message_id) FROM message_feedback WHERE kind = 'opened' AND NOT is_machine),
       (SELECT count(DISTINCT contact_id) FROM lifecycle_events WHERE to_stage = 'mql'),
       ({OPEN_WORK})
"""

JOURNEYS = """
SELECT w.name, count(e.id), count(*) FILTER (WHERE e.finished_at IS NULL AND e.id IS NOT NULL),
       count(*) FILTER (WHERE e.state = 'waiting'), count(*) FILTER (WHERE e.state = 'completed'),
       count(*) FILTER (WHERE e.state = 'exited'), count(*) FILTER (WHERE e.state = 'failed')
  FROM workflows w LEFT JOIN workflow_enrolments e ON e.workflow_id = w.id
 GROUP BY w.id, w.name ORDER BY w.name
"""


def read(now: datetime) -> Figures:
    """The state of everything at `now`. Raises DatabaseError when PostgreSQL is away."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"now": now})
        contacts, events, states, reasons, opened, mqls, work = (_plain(value) for value in cursor.fetchone())
        cursor.execute(JOURNEYS)
        journeys = tuple(Journey(*row) for row in cursor.fetchall())
    states = states or {}
    return Figures(
        contacts=contacts,
        events=events,
        enrolments=sum(journey.entered for journey in journeys),
        accepted=states.get("accepted", 0),
        rejected=states.get("rejected", 0),
        suppressed=states.get("suppressed", 0),
        capped=states.get("capped", 0),
        in_doubt=states.get("in_doubt", 0) + states.get("undetermined", 0),
        opened=opened,
        mqls=mqls,
        skipped=reasons or {},
        journeys=journeys,
        open_work={name: count for name, count in work.items() if count},
    )


def _plain(value: Any) -> Any:
    """Django hands raw jsonb over as text."""
    return json.loads(value) if isinstance(value, str) else value


def closing_lines(figures: Figures, *, balanced: bool) -> list[str]:
    """One `name: value` a line."""
    return [
        f"contacts: {figures.contacts}",
        f"events: {figures.events}",
        f"enrolments: {figures.enrolments}",
        f"messages accepted: {figures.accepted}",
        f"messages rejected: {figures.rejected}",
        f"suppressed: {figures.suppressed}",
        f"capped: {figures.capped}",
        f"in doubt: {figures.in_doubt}",
        f"opened: {figures.opened}",
        f"MQLs: {figures.mqls}",
        f"books balance: {'yes' if balanced else 'no'}",
    ]
