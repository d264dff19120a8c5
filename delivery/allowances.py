"""What if the frequency cap were another one? The same messages ask again, at the same instants and in the same order,
and the windows roll as they do at the gate (`caps`, `verdicts`). What else another cap would have changed (who opens,
and goes on in a journey because of it) nobody can know.

Contacts with a cap of their own keep it, as it is now. Exact for what the log knows: with the cap that was in force,
the same messages are sent and skipped as were."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from delivery import caps
from delivery.caps import Cap
from delivery.pressure import Span

MOST_ASKED = 50_000  # messages that ask again: the newest


@dataclass(frozen=True)
class Ask:
    """A message at the gate. `own`: its contact's `frequency_cap`. `ahead`: messages before it in the line."""

    message_id: int
    contact_id: int
    at: datetime
    priority: int
    was_sent: bool
    own: Mapping[str, Any] | None = None
    ahead: tuple[int, ...] = ()


@dataclass(frozen=True)
class Windows:
    day: timedelta
    week: timedelta
    soon: timedelta


@dataclass(frozen=True)
class Outcome:
    """`sent` of `asked` messages under `cap`; `gained` of them were skipped in truth, and `lost` were sent in truth and
    would not have been."""

    cap: Cap
    asked: int
    sent: int
    gained: int
    lost: int


def what_if(of: Span, *, instead: Iterable[Cap]) -> list[Outcome]:
    """What would have become of the newest MOST_ASKED messages of the span, which has a channel, under each of these
    caps. Two statements."""
    asks = _asks(of)
    windows = Windows(
        caps.DAY / settings.TIME_SPEED,
        caps.WEEK / settings.TIME_SPEED,
        max(caps.SOON / settings.TIME_SPEED, caps.LEAST),
    )
    before = _counted_before(asks, of, windows) if asks else {}
    was = {ask.message_id for ask in asks if ask.was_sent}
    outcomes = []
    for cap in instead:
        sent = ask_again(asks, before, cap, windows)
        outcomes.append(Outcome(cap, len(asks), len(sent), gained=len(sent - was), lost=len(was - sent)))
    return outcomes


def ask_again(asks: Sequence[Ask], before: Mapping[int, Sequence[datetime]], cap: Cap, windows: Windows) -> set[int]:
    """The messages that would be sent. `before`: what counted for each contact already, in its order. Pure."""
    sent: set[int] = set()
    counted: dict[int, list[datetime]] = {contact: list(instants) for contact, instants in before.items()}
    for ask in _in_line(asks):
        held = counted.setdefault(ask.contact_id, [])
        at = _place(held, ask.at, caps.cap_of(ask.own, others=cap) if ask.own else cap, windows)
        if at is not None:
            held.insert(bisect_right(held, at), at)
            sent.add(ask.message_id)
    return sent


def _in_line(asks: Sequence[Ask]) -> list[Ask]:
    """In the order in which the gate gave places: by instant, and at one instant as in the line. Whoever was ahead of a
    message that was refused comes before it, though it was claimed later."""
    since: dict[int, datetime] = {ask.message_id: ask.at for ask in asks}
    for ask in asks:
        for other in ask.ahead:
            if other in since:
                since[other] = min(since[other], ask.at)
    return sorted(asks, key=lambda ask: (since[ask.message_id], -ask.priority, ask.message_id))


def _place(held: Sequence[datetime], at: datetime, cap: Cap, windows: Windows) -> datetime | None:
    """When it gets a place: at once, or as soon as one is free soon; None: not at all."""
    if _is_free(held, at, cap, windows):
        return at
    frees = [then for each in held for then in (each + windows.day, each + windows.week) if at < then]
    soon = sorted(then for then in frees if then <= at + windows.soon)
    return soon[-1] if soon and _is_free(held, soon[-1], cap, windows) else None


def _is_free(held: Sequence[datetime], at: datetime, cap: Cap, windows: Windows) -> bool:
    for limit, window in ((cap.per_day, windows.day), (cap.per_week, windows.week)):
        if limit is not None and len(held) - bisect_right(held, at - window) >= limit:
            return False
    return True


# The last word of each message that asked in the span. A place that was given back is left out: it held nothing.
_ASKS = """
    SELECT l.message_id, l.contact_id, l.at, m.priority, l.kind = 'claimed',
           CASE l.channel WHEN 'email' THEN c.frequency_cap::text END, l.ahead
      FROM (SELECT DISTINCT ON (message_id) *,
                   ARRAY(SELECT jsonb_array_elements_text(evidence -> 'ahead')::bigint) AS ahead
              FROM (SELECT * FROM contact_send_log
                     WHERE kind IN ('claimed', 'capped') AND at > %(since)s AND at <= %(until)s
                       AND channel = %(channel)s AND (kind = 'capped' OR cap_delta > 0)
                     ORDER BY at DESC LIMIT %(most)s) newest
             ORDER BY message_id, id DESC) l
      JOIN messages m ON m.id = l.message_id
      LEFT JOIN contacts c ON c.id = l.contact_id
     WHERE l.kind = 'capped'
        OR (SELECT sum(cap_delta) FROM contact_send_log WHERE message_id = l.message_id AND at <= %(until)s) > 0
"""
_BEFORE = """
    SELECT contact_id, message_id, max(counts_at) FROM contact_send_log
     WHERE contact_id = ANY(%s) AND cap_delta <> 0 AND counts_at > %s AND counts_at <= %s AND channel = %s
     GROUP BY 1, 2 HAVING sum(cap_delta) > 0 ORDER BY 3
"""


def _asks(of: Span) -> list[Ask]:
    with connection.cursor() as cursor:
        cursor.execute(_ASKS, {"since": of.since, "until": of.until, "channel": of.channel, "most": MOST_ASKED})
        return [
            Ask(
                message_id=message,
                contact_id=contact,
                at=at,
                priority=priority,
                was_sent=was_sent,
                own=json.loads(own or "null"),
                ahead=tuple(ahead),
            )
            for message, contact, at, priority, was_sent, own, ahead in cursor.fetchall()
        ]


def _counted_before(asks: Sequence[Ask], of: Span, windows: Windows) -> dict[int, list[datetime]]:
    """What counted for these contacts when the first of these messages asked."""
    first = min(ask.at for ask in asks)
    asking = {ask.message_id for ask in asks}
    contacts = sorted({ask.contact_id for ask in asks})
    before: dict[int, list[datetime]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [contacts, first - windows.week, first, of.channel])
        for contact, message, at in cursor.fetchall():
            if message not in asking:
                before.setdefault(contact, []).append(at)
    return before
