"""Messages that were given up: rejected because the attempts were used up, or because the provider would never take
them. Once what was wrong is mended, a person sends them anew: the same message, with all its attempts.

Only what provably was not accepted comes back: its last word is `rejected`, and nobody ever reported anything of it.
What is in doubt, or ended `undetermined`, may have arrived and stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from contacts import doorbell
from delivery import ledger
from delivery.outbox import LANES

MOST = 1000  # at once

_LOCK = "SELECT id FROM messages WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

_READ = """
    SELECT m.id, m.lane, last.kind, EXISTS (SELECT FROM outbox o WHERE o.message_id = m.id),
           EXISTS (SELECT FROM message_feedback f WHERE f.message_id = m.id)
      FROM messages m
      LEFT JOIN LATERAL (
           SELECT kind FROM contact_send_log WHERE message_id = m.id ORDER BY id DESC LIMIT 1) last ON true
     WHERE m.id = ANY(%s) ORDER BY m.id
"""

_BACK = """
    INSERT INTO outbox (message_id, channel, message_class, lane, priority, contact_id, due_at)
    SELECT id, channel, message_class, lane, priority, contact_id, %s FROM messages WHERE id = ANY(%s) ORDER BY id
"""


@dataclass(frozen=True)
class Replayed:
    """The ids of the messages that are in the queue again, and why each of the others is not: unknown · open · reported
    · in_doubt, undetermined, accepted, … (its state)."""

    messages: tuple[int, ...]
    refused: Mapping[int, str]


def replay(message_ids: Collection[int], *, now: datetime) -> Replayed:
    """Put rejected messages back into the queue, with no attempt used; the gate decides again whether they may go. Each
    is told as `replayed`, and what becomes of it is told anew. MOST at once; a constant number of statements."""
    wanted = sorted(set(message_ids))[:MOST]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [wanted])
        cursor.execute(_READ, [wanted])
        rows = cursor.fetchall()
        refused = dict.fromkeys(wanted, "unknown")
        lanes: dict[int, str] = {}
        for message_id, lane, last, is_open, was_reported in rows:
            if is_open:
                refused[message_id] = "open"
            elif last != "rejected":
                refused[message_id] = last or "unknown"
            elif was_reported:
                refused[message_id] = "reported"
            else:
                del refused[message_id]
                lanes[message_id] = lane
        if lanes:
            cursor.execute(_BACK, [now, sorted(lanes)])
            ledger.append([ledger.Entry(message_id, "replayed") for message_id in sorted(lanes)], now=now)
        for lane in sorted(set(lanes.values())):
            doorbell.ring_on_commit("delivery.deliver", LANES[lane])
    return Replayed(tuple(sorted(lanes)), refused)
