"""Events reach endpoints here: in the transaction that records them, so either both are there or neither.

An endpoint hears what could start a journey: what consent holds back and what is older than EVENT_TRIGGER_MAX_AGE was
never awaited, and is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from contacts import authority, doorbell
from contacts.signals import RecordedEvent
from delivery.outgoing.endpoints import BELL, CHANGE, LANE

# One name for an event at an endpoint, however often it is sent: receivers tell repetitions by it.
WEBHOOK_ID = "encode(substr(sha256(convert_to(e.public_id::text || ':' || {event}, 'UTF8')), 1, 16), 'hex')::uuid"
PING = "ping"


def queue(events: Sequence[RecordedEvent], *, now: datetime) -> None:
    """Leave events that were recorded at `now` for the endpoints that hear of their types. Nothing where nobody awaits
    any of them, else one statement."""
    heard = [event for event in events if event.pending]
    if not heard:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_id, event_recorded_at, event_type,
                                            contact_id, due_at, created_at)
            SELECT e.id, {WEBHOOK_ID.format(event="n.event_id")}, n.event_id, %(now)s, n.type, n.contact_id, %(now)s,
                   %(now)s
              FROM unnest(%(ids)s::bigint[], %(types)s::text[], %(contacts)s::bigint[])
                   AS n(event_id, type, contact_id)
              JOIN webhook_endpoints e ON e.state = 'enabled' AND e.event_types && ARRAY[n.type, '*']
                ON CONFLICT (endpoint_id, event_id) WHERE NOT is_replay DO NOTHING
            """,
            {
                "now": now,
                "ids": [event.event_id for event in heard],
                "types": [event.type for event in heard],
                "contacts": [event.contact_id for event in heard],
            },
        )
        if cursor.rowcount:
            doorbell.ring_on_commit(BELL, LANE)


def ping(endpoint_id: int, *, now: datetime) -> str:
    """Leave a trial call, of no event, in the caller's transaction; returns the id of the delivery. Raises
    NotAllowed, and LookupError where there is no such endpoint, or it is not enabled."""
    authority.require(CHANGE)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, due_at, created_at)
            SELECT id, gen_random_uuid(), %s, %s, %s FROM webhook_endpoints WHERE id = %s AND state = 'enabled'
            RETURNING public_id::text
            """,
            [PING, now, now, endpoint_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise LookupError(endpoint_id)
    doorbell.ring_on_commit(BELL, LANE)
    return row[0]
