"""Facts for the warehouse, by the row: messages, what became of them, stages and events, at the instants one likes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from contacts.guarded import guarded_path
from contacts.models import Contact
from tests import journeys

HOUR = timedelta(hours=1)


def contact(email: str, created_at: datetime) -> int:
    return Contact.objects.create(email=email, created_at=created_at).pk


def event(
    contact_id: int,
    kind: str,
    at: datetime,
    properties: dict[str, Any] | None = None,
    *,
    recorded_at: datetime | None = None,
) -> None:
    """Recorded by the door; `recorded_at` puts it back in the log as if that had been then."""
    journeys.track(contact_id, kind, properties=properties, key=f"{kind}-{at.isoformat()}", occurred_at=at)
    if recorded_at is not None:
        with transaction.atomic(), guarded_path(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE contact_events SET recorded_at = %s WHERE id = (SELECT max(id) FROM contact_events)",
                [recorded_at],
            )


def message(
    contact_id: int,
    at: datetime,
    *outcomes: str,
    template: str = "welcome",
    message_class: str = "marketing",
    heard: dict[str, datetime] | None = None,
) -> int:
    """A message of this instant with these kinds in the send log, an hour apart, and what was heard of it, when."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO messages (contact_id, channel, message_class, lane, idempotency_key, created_at,
                                  template_version_id)
            SELECT %s, 'email', %s, 'bulk', gen_random_uuid()::text, %s, v.id
              FROM template_versions v JOIN templates t ON t.id = v.template_id WHERE t.slug = %s
             ORDER BY v.id DESC LIMIT 1 RETURNING id
            """,
            [contact_id, message_class, at, template],
        )
        message_id = cursor.fetchone()[0]
    for number, kind in enumerate(outcomes):
        decide(message_id, kind, at + number * HOUR)
    for kind, when in (heard or {}).items():
        hear(message_id, kind, when)
    return message_id


def decide(message_id: int, kind: str, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_send_log (message_id, contact_id, channel, kind, provider, at)"
            " SELECT id, contact_id, channel, %s, 'sandbox', %s FROM messages WHERE id = %s",
            [kind, at, message_id],
        )


def hear(
    message_id: int, kind: str, at: datetime, *, occurred_at: datetime | None = None, is_machine: bool = False
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO message_feedback"
            " (message_id, kind, occurred_at, recorded_at, is_machine, provider, dedup_hash)"
            " VALUES (%s, %s, %s, %s, %s, 'sandbox', uuid_send(gen_random_uuid()))",
            [message_id, kind, occurred_at or at, at, is_machine],
        )


def move(contact_id: int, stage: str, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lifecycle_events (contact_id, to_stage, reason, source, occurred_at)"
            " VALUES (%s, %s, '', 'api', %s)",
            [contact_id, stage, at],
        )


def tally(day: datetime, what: str, n: int, *, sending: str = "news.example.com", receiving: str = "gmail") -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO post_tallies (day, channel, provider, sending, receiving, message_class, what, n)"
            " VALUES (%s, 'email', 'sandbox', %s, %s, 'marketing', %s, %s)",
            [day.date(), sending, receiving, what, n],
        )
