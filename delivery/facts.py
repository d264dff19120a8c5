"""What happened to a message, written as events of its contact: scores, triggers and conditions read it there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import events

SENT = "email_sent"
SKIPPED = "send_suppressed"
SKIPPED_BY_CAP = "send_suppressed_frequency_cap"


@dataclass(frozen=True)
class Fact:
    """An event about a message; `email_…` becomes `sms_…` or `push_…` where the message went that way. `key` makes a
    repetition harmless; `extra` joins the properties that all of them have: message_id, workflow, workflow_id, step,
    template, enrolment_id."""

    message_id: int
    type: str
    key: str
    occurred_at: datetime
    extra: Mapping[str, Any] = field(default_factory=dict)


def once(message_id: int, type_: str, occurred_at: datetime, **extra: Any) -> Fact:
    """A fact that can be true of a message once only."""
    return Fact(message_id, type_, f"{type_}:{message_id}", occurred_at, extra)


def record(facts: Sequence[Fact], *, now: datetime) -> None:
    """Record them, inside the caller's transaction: one read, and one `record_batch` per lane."""
    if not facts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, contact_id, lane, public_id::text, context->'about', workflow_id, step, enrolment_id, channel
              FROM messages WHERE id = ANY(%s)
            """,
            [sorted({fact.message_id for fact in facts})],
        )
        messages = {row[0]: row[1:] for row in cursor.fetchall()}
    lanes: dict[str, list[events.NewEvent]] = {}
    for fact in facts:
        contact_id, lane, public_id, about, workflow_id, step, enrolment_id, channel = messages[fact.message_id]
        own = {"message_id": public_id, "workflow_id": workflow_id, "step": step, "enrolment_id": enrolment_id}
        known = {name: value for name, value in own.items() if value not in (None, "")}
        lanes.setdefault(lane, []).append(
            events.NewEvent(
                type=fact.type.replace("email_", f"{channel}_", 1) if fact.type.startswith("email_") else fact.type,
                occurred_at=min(fact.occurred_at, now),
                contact=contact_id,
                properties={**_about(about), **known, **fact.extra},
                context={},
                key=fact.key,
                own=True,
            )
        )
    for lane in sorted(lanes):
        events.record_batch(lanes[lane], source="own", now=now, lane=lane)


def _about(stored: str | None) -> dict[str, Any]:
    value = json.loads(stored or "{}")
    return value if isinstance(value, dict) else {}
