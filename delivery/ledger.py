"""`contact_send_log`, and the outbox rows that go with it: the only place that writes either after a message was born.

Whoever changes an open message locks its outbox row first (`lock_open`), reads, and then writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from delivery import signals, tallies
from delivery.signals import MessageOutcome

TOLD = frozenset({"accepted", "rejected", "in_doubt", "undetermined", "suppressed", "capped", "cancelled", "replayed"})
GIVES_BACK = frozenset({"rejected", "retry", "not_started"})  # the place under the cap that the claim had taken
WORDS_KEPT = 500  # characters of what a provider said


@dataclass(frozen=True)
class Entry:
    """One row for the log. `cap_delta` and `counts_at` are given for a claim; what has to be given back is worked out
    from the message's own earlier rows."""

    message_id: int
    kind: str
    attempt: int = 0
    reason: str = ""
    address_id: int | None = None
    provider: str = ""
    provider_code: int | None = None
    provider_said: str = ""
    cap_delta: int = 0
    counts_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Open:
    """The open side of a message, as it is while its row is locked."""

    message_id: int
    state: str
    attempt: int
    address_id: int | None


_LOCK_OPEN = """
    SELECT message_id, state, attempt, address_id FROM outbox
     WHERE message_id = ANY(%s) ORDER BY message_id FOR UPDATE
"""

# In one statement with what is counted of it (`delivery.tallies`), so that neither is ever without the other.
_APPEND = f"""
    WITH entry AS (
        SELECT e.*, m.contact_id, m.channel, m.message_class, m.workflow_id, m.version_id, m.step,
               m.template_version_id
          FROM unnest(%(message_ids)s::bigint[], %(kinds)s::text[], %(attempts)s::smallint[], %(reasons)s::text[],
                      %(address_ids)s::bigint[], %(providers)s::text[], %(codes)s::integer[], %(said)s::text[],
                      %(cap_deltas)s::smallint[], %(counts_at)s::timestamptz[], %(evidence)s::text[])
               AS e (message_id, kind, attempt, reason, address_id, provider, provider_code, provider_said, cap_delta,
                     counts_at, evidence)
          JOIN messages m ON m.id = e.message_id),
    tallied AS (
        INSERT INTO post_tallies (day, channel, provider, sending, receiving, message_class, what, reason, n)
        SELECT %(day)s, m.channel, m.provider, {tallies.SENDING}, {tallies.RECEIVING}, m.message_class, m.kind,
               m.reason, count(*)
          FROM entry m LEFT JOIN addresses a ON a.id = m.address_id
         WHERE m.kind = ANY(%(told)s) GROUP BY 2, 3, 4, 5, 6, 7, 8),
    written AS (
        INSERT INTO contact_send_log (message_id, contact_id, address_id, channel, workflow_id, kind, attempt, reason,
                                      provider, provider_code, provider_said, cap_delta, counts_at, evidence, at)
        SELECT e.message_id, e.contact_id, e.address_id, e.channel, e.workflow_id, e.kind, e.attempt, e.reason,
               e.provider, e.provider_code, e.provider_said,
               CASE WHEN e.kind = ANY(%(giving)s) THEN -COALESCE(taken.places, 0) ELSE e.cap_delta END,
               CASE WHEN e.kind = ANY(%(giving)s) THEN taken.counts_at ELSE e.counts_at END,
               e.evidence::jsonb, %(now)s
          FROM entry e
          LEFT JOIN LATERAL (
               SELECT sum(cap_delta) AS places, max(counts_at) AS counts_at FROM contact_send_log
                WHERE message_id = e.message_id AND cap_delta <> 0) taken ON true
         ORDER BY e.message_id)
    SELECT message_id, contact_id, workflow_id, version_id, step, kind, reason, template_version_id
  FROM entry ORDER BY message_id
"""


_PUT_BACK = """
    SELECT l.message_id, count(*), min(l.at)
      FROM contact_send_log l
     WHERE l.message_id = ANY(%s) AND l.kind IN ('retry', 'not_started') AND l.reason = ANY(%s)
       AND l.id > COALESCE((SELECT max(r.id) FROM contact_send_log r
                             WHERE r.message_id = l.message_id AND r.kind = 'replayed'), 0)
     GROUP BY l.message_id
"""


def lock_open(message_ids: Collection[int]) -> dict[int, Open]:
    """Lock the outbox rows of these messages, in the order of their ids, and read them. The final ones have none."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_OPEN, [sorted(message_ids)])
        return {row[0]: Open(*row) for row in cursor.fetchall()}


def append(entries: Sequence[Entry], *, now: datetime) -> None:
    """Write log rows, count the outcomes among them, and tell the floors above. One statement."""
    if not entries:
        return
    written: dict[str, Any] = {
        "message_ids": [e.message_id for e in entries],
        "kinds": [e.kind for e in entries],
        "attempts": [e.attempt for e in entries],
        "reasons": [e.reason for e in entries],
        "address_ids": [e.address_id for e in entries],
        "providers": [e.provider for e in entries],
        "codes": [e.provider_code for e in entries],
        "said": [_storable(e.provider_said) for e in entries],
        "cap_deltas": [e.cap_delta for e in entries],
        "counts_at": [e.counts_at for e in entries],
        "evidence": [json.dumps(dict(e.evidence)) for e in entries],
        "giving": sorted(GIVES_BACK),
        "told": sorted(TOLD),
        "day": tallies.day_of(now),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, written | tallies.words())
        rows = cursor.fetchall()
    if outcomes := tuple(MessageOutcome(*row) for row in rows if row[5] in TOLD):
        signals.messages_decided.send(sender=None, outcomes=outcomes, now=now)


def close(entries: Sequence[Entry], *, now: datetime) -> None:
    """These outcomes are final: the outbox rows (locked by the caller) go, the log keeps the last word."""
    if not entries:
        return
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM outbox WHERE message_id = ANY(%s)", [[e.message_id for e in entries]])
    append(entries, now=now)


def requeue(entries: Sequence[Entry], *, due_at: Sequence[datetime], attempts: Sequence[int], now: datetime) -> None:
    """Back into the queue, due at the given instants, with the given number of attempts used so far."""
    if not entries:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE outbox o
               SET state = 'queued', due_at = r.due_at, attempt = r.attempt, lease_until = NULL,
                   is_paced = o.is_paced AND r.is_kept -- what did not start has not used its turn
              FROM unnest(%s::bigint[], %s::timestamptz[], %s::smallint[], %s::boolean[])
                   AS r (message_id, due_at, attempt, is_kept)
             WHERE o.message_id = r.message_id
            """,
            [
                [e.message_id for e in entries],
                list(due_at),
                list(attempts),
                [e.kind == "not_started" for e in entries],
            ],
        )
    append(entries, now=now)


@dataclass(frozen=True)
class Back:
    """How often a message was put back for reasons that are not its own, and since when."""

    times: int
    since: datetime


def put_back(message_ids: Collection[int], *, reasons: Collection[str]) -> dict[int, Back]:
    """Those that were put back for one of these reasons, since they were last queued by somebody. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_PUT_BACK, [list(message_ids), list(reasons)])
        return {message_id: Back(times, since) for message_id, times, since in cursor.fetchall()}


def doubt(entries: Sequence[Entry], *, now: datetime) -> None:
    """Whether the provider has these cannot be known now; they are never sent again without proof."""
    if not entries:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox SET state = 'in_doubt' WHERE message_id = ANY(%s)", [[e.message_id for e in entries]]
        )
    append(entries, now=now)


def _storable(words: str) -> str:
    """What a provider said may hold anything; PostgreSQL takes no NUL and no lone surrogate."""
    return words[:WORDS_KEPT].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
