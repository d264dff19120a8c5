"""The one door through which a message comes to be, and the one by which it leaves before it was claimed."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection, transaction

from contacts import doorbell
from delivery import ledger, signals
from delivery.requests import SendRequest
from delivery.signals import MessageOutcome

LANES = {"urgent": "delivery_urgent", "bulk": "delivery_bulk"}  # a message's lane, and the queue of its doorbell

_INSERT_MESSAGES = """
    INSERT INTO messages (contact_id, channel, template_version_id, idempotency_key, message_class, topic, priority,
                          override_cap, lane, context, quiet_hours, workflow_id, version_id, step, enrolment_id,
                          created_at)
    SELECT contact_id, channel, template_version_id, key, class, topic, priority, override_cap, lane, context::jsonb,
           quiet_hours::jsonb, workflow_id, version_id, step, enrolment_id, %s
      FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::smallint[],
                  %s::boolean[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[],
                  %s::bigint[])
           AS r (contact_id, channel, template_version_id, key, class, topic, priority,
                 override_cap, lane, context, quiet_hours, workflow_id, version_id, step, enrolment_id)
     ORDER BY key
        ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id, contact_id, workflow_id, version_id, step, lane, template_version_id
"""

_INSERT_OUTBOX = """
    INSERT INTO outbox (message_id, channel, message_class, lane, priority, contact_id, due_at)
    SELECT id, channel, message_class, lane, priority, contact_id, %s FROM messages WHERE id = ANY(%s) ORDER BY id
"""

# A message that is being claimed at this instant is being sent: SKIP LOCKED lets it go, and nobody waits for anybody.
_LOCK_QUEUED = """
    SELECT o.message_id
      FROM messages m JOIN outbox o ON o.message_id = m.id
     WHERE m.enrolment_id = ANY(%s) AND o.state = 'queued'
     ORDER BY o.message_id
       FOR UPDATE OF o SKIP LOCKED
"""


_LOCK_QUEUED_OF_CONTACTS = """
    SELECT message_id FROM outbox WHERE contact_id = ANY(%s) AND state = 'queued'
     ORDER BY message_id FOR UPDATE SKIP LOCKED
"""


def enqueue(requests: Sequence[SendRequest], *, now: datetime) -> None:
    """Leave messages with the post office, inside the transaction of whatever wants them sent.

    Two statements, however many there are. A request whose idempotency key was seen before is dropped."""
    assert transaction.get_connection().in_atomic_block, "a message is born in the transaction of its cause"
    if not requests:
        return
    columns = (
        [r.contact_id for r in requests],
        [r.channel for r in requests],
        [r.template_version_id for r in requests],
        [r.idempotency_key for r in requests],
        [r.message_class for r in requests],
        [r.topic for r in requests],
        [r.priority for r in requests],
        [r.override_cap for r in requests],
        [r.lane for r in requests],
        [json.dumps(dict(r.context)) for r in requests],
        [None if r.quiet_hours is None else json.dumps(dict(r.quiet_hours), sort_keys=True) for r in requests],
        [r.workflow_id for r in requests],
        [r.version_id for r in requests],
        [r.step for r in requests],
        [r.enrolment_id for r in requests],
    )
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_MESSAGES, [now, *columns])
        born = cursor.fetchall()
        if not born:
            return
        cursor.execute(_INSERT_OUTBOX, [now, [row[0] for row in born]])
    for lane in sorted({row[5] for row in born}):
        doorbell.ring_on_commit("delivery.deliver", LANES[lane])
    outcomes = tuple(
        MessageOutcome(message_id, contact_id, workflow_id, version_id, step, "queued", "", template_version_id)
        for message_id, contact_id, workflow_id, version_id, step, _, template_version_id in born
    )
    signals.messages_enqueued.send(sender=None, outcomes=outcomes, now=now)


def cancel_queued(*, enrolment_ids: Sequence[int], reason: str, now: datetime) -> int:
    """Withdraw what these enrolments left in the queue. Returns how many messages were cancelled.

    What is being claimed, or was, is not called back. Call inside a transaction."""
    if not enrolment_ids:
        return 0
    return _cancel(_LOCK_QUEUED, enrolment_ids, reason=reason, now=now)


def cancel_of_contacts(contact_ids: Collection[int], *, reason: str, now: datetime) -> int:
    """Withdraw whatever is queued for these contacts; the rest as `cancel_queued`."""
    return _cancel(_LOCK_QUEUED_OF_CONTACTS, contact_ids, reason=reason, now=now)


def _cancel(lock: str, ids: Collection[int], *, reason: str, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(lock, [list(ids)])
        cancelled = [row[0] for row in cursor.fetchall()]
    ledger.close([ledger.Entry(message_id, "cancelled", reason=reason) for message_id in cancelled], now=now)
    return len(cancelled)
