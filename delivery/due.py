"""What is due: counted before anything is taken, and taken row by row, best first, past whatever others hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from contacts import freezing
from delivery.rates import pacing


@dataclass(frozen=True)
class Due:
    """An outbox row that this transaction has taken, and its message, which can never change.

    `address` was read before the contact was locked: it says which address to lock, not where to send."""

    message_id: int
    contact_id: int
    attempt: int  # used so far
    priority: int
    due_at: datetime
    is_paced: bool
    address: str
    public_id: str
    channel: str
    message_class: str
    topic: str
    override_cap: bool
    template_version_id: int
    context: str  # JSON
    quiet_hours: str | None  # JSON
    is_frozen: bool = False  # its workflow is


@dataclass(frozen=True)
class Share:
    """Of a batch, at most `limit` messages of these classes."""

    classes: tuple[str, ...]
    limit: int


# One look into the index for each priority and class, so that neither a long queue nor many messages for later, nor a
# class that is held, cost anything.
TAKE = f"""
    WITH due AS MATERIALIZED (
        SELECT queued.* FROM generate_series(10, 1, -1) AS level (priority)
         CROSS JOIN unnest(%(classes)s::text[]) AS kind (message_class)
         CROSS JOIN LATERAL (
               SELECT message_id, contact_id, attempt, priority, due_at, is_paced FROM outbox
                WHERE state = 'queued' AND lane = %(lane)s AND channel = %(channel)s
                  AND message_class = kind.message_class AND priority = level.priority AND due_at <= %(now)s
                ORDER BY due_at, message_id LIMIT %(limit)s
                  FOR UPDATE SKIP LOCKED) AS queued
         WHERE {freezing.THAWED}
         LIMIT %(limit)s)
    SELECT due.message_id, due.contact_id, due.attempt, due.priority, due.due_at, due.is_paced,
           COALESCE(CASE m.channel WHEN 'email' THEN c.email WHEN 'sms' THEN c.phone ELSE c.public_id::text END, ''),
           m.public_id::text, m.channel, m.message_class, m.topic, m.override_cap, m.template_version_id,
           m.context::text, m.quiet_hours::text, COALESCE(m.workflow_id IN ({freezing.FROZEN_WORKFLOWS}), false)
      FROM due JOIN messages m ON m.id = due.message_id LEFT JOIN contacts c ON c.id = due.contact_id
     ORDER BY due.priority DESC, due.due_at, due.message_id
"""

COUNT = f"""
    SELECT asked.channel, found.n
      FROM unnest(%(asked)s::text[]) AS asked (channel)
     CROSS JOIN LATERAL (
           SELECT count(*) AS n FROM (
                SELECT FROM generate_series(1, 10) AS level (priority)
                 CROSS JOIN unnest(%(channels)s::text[], %(classes)s::text[]) AS kind (channel, message_class)
                 CROSS JOIN LATERAL (
                       SELECT FROM outbox
                        WHERE state = 'queued' AND lane = %(lane)s AND channel = kind.channel
                          AND message_class = kind.message_class AND priority = level.priority AND due_at <= %(now)s
                        ORDER BY due_at, message_id LIMIT %(limit)s) AS queued -- in order: else the planner hopes
                 WHERE kind.channel = asked.channel AND {freezing.THAWED}
                 LIMIT %(limit)s) AS due) AS found
     WHERE found.n > 0
"""

_NEXT = f"""
    SELECT min(queued.due_at)
      FROM generate_series(1, 10) AS level (priority)
     CROSS JOIN unnest(%(channels)s::text[], %(classes)s::text[]) AS kind (channel, message_class)
     CROSS JOIN LATERAL (
           SELECT due_at FROM outbox
            WHERE state = 'queued' AND lane = %(lane)s AND channel = kind.channel
              AND message_class = kind.message_class AND priority = level.priority
              AND due_at > %(now)s AND due_at <= %(until)s
            ORDER BY due_at, message_id LIMIT 1) AS queued
     WHERE {freezing.THAWED}
"""

_PACE = """
    UPDATE outbox o SET due_at = r.due_at, is_paced = true
      FROM unnest(%s::bigint[], %s::timestamptz[]) AS r (message_id, due_at) WHERE o.message_id = r.message_id
"""


def waiting(lane: str, *, classes: Mapping[str, Sequence[str]], limit: int, now: datetime) -> dict[str, int]:
    """How many messages of the lane are due in each channel, of those classes of it, counted up to `limit`; channels
    that have none are absent. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {**_asked(lane, classes, now), "asked": list(classes), "limit": limit})
        return dict(cursor.fetchall())


def next_at(lane: str, *, classes: Mapping[str, Sequence[str]], now: datetime, until: datetime) -> datetime | None:
    """When the next message of the lane becomes due, if that is by `until`."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {**_asked(lane, classes, now), "until": until})
        return cursor.fetchone()[0]


def _asked(lane: str, classes: Mapping[str, Sequence[str]], now: datetime) -> dict[str, Any]:
    pairs = [(channel, each) for channel, some in classes.items() for each in some]
    return {
        "lane": lane,
        "now": now,
        "channels": [channel for channel, _ in pairs],
        "classes": [each for _, each in pairs],
    }


def take(lane: str, *, channel: str, shares: Sequence[Share], limit: int, now: datetime) -> list[Due]:
    """Lock up to `limit` due messages, share by share, best first. One statement a share."""
    taken: list[Due] = []
    for share in shares:
        most = min(share.limit, limit - len(taken))
        if most <= 0:
            continue
        asked: dict[str, Any] = {
            "lane": lane,
            "channel": channel,
            "classes": list(share.classes),
            "now": now,
            "limit": most,
        }
        with connection.cursor() as cursor:
            cursor.execute(TAKE, asked)
            taken += [Due(*row) for row in cursor.fetchall()]
    return taken


def whose_turn_it_is(taken: Sequence[Due], *, lane: str, now: datetime) -> list[Due]:
    """Those that may go now, as far as their recipients' domains are concerned. The others are put back, due at their
    turns, which they have now for good: no row of the log tells of it."""
    asking = [due for due in taken if due.channel == "email" and due.address and not _has_its_turn(due, now)]
    waits = pacing.turns_of([due.address for due in asking], lane=lane, now=now)
    later = {due.message_id: now + wait for due, wait in zip(asking, waits, strict=True) if wait > timedelta()}
    if later:
        with connection.cursor() as cursor:
            cursor.execute(_PACE, [sorted(later), [later[message_id] for message_id in sorted(later)]])
    return [due for due in taken if due.message_id not in later]


def _has_its_turn(due: Due, now: datetime) -> bool:
    return due.is_paced and now - due.due_at < pacing.KEPT
