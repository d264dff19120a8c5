"""Who competes for the places under the frequency cap, who went without, and which messages held the places.

Everything is read from `contact_send_log`, a span of it that never has more than MOST_READ decisions of a kind: where
there were more in the time that was asked about, the span begins later and says so. A message asked for a place if the
gate decided about it under a cap: it was claimed and counts, was put off, or was skipped. What passes the cap
(transactional messages, journeys that override it, channels without one) is counted beside.

Which messages held the places is read from the same rows that the gate counted: what was written before the refusal and
counted in the window that was full, and the messages `ahead` in the line, which the refusal names itself. So it is
exact, also where a place was given back later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from delivery import caps
from delivery.ledger import GIVES_BACK
from delivery.verdicts import CAP

MOST_READ = 100_000  # decisions of one kind in a span
MOST_MATCHED = 20_000  # skipped messages for which the holders of the places are looked up; the newest
SAMPLE = 20_000  # contacts of whom it is said how many messages they get
DECISIONS = ("claimed", "capped", "deferred")


@dataclass(frozen=True)
class Span:
    """What was decided after `since`, up to `until`. `is_cut`: it was to begin earlier. `channel` empty: all."""

    since: datetime
    until: datetime
    channel: str = ""
    is_cut: bool = False


@dataclass(frozen=True)
class Asked:
    """Of messages: asked = sent + given_back + skipped + open.

    sent        -- took a place: claimed, and counts
    given_back  -- were claimed, and gave the place back: refused by the provider, or to be tried again
    skipped     -- found no place, for good
    open        -- were put off, and nothing has been decided since (they wait, or were cancelled)
    put_off     -- of all these, those that were put off at some time
    exempt      -- passed without asking, beside the others"""

    sent: int = 0
    given_back: int = 0
    skipped: int = 0
    open: int = 0
    put_off: int = 0
    exempt: int = 0

    @property
    def asked(self) -> int:
        return self.sent + self.given_back + self.skipped + self.open

    @property
    def skipped_share(self) -> float:
        return self.skipped / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Competition:
    """`topics` are pairs (channel, topic); journeys are ids, 0 for messages that no journey wanted. Most skipped first,
    those that only passed last."""

    total: Asked
    topics: Sequence[tuple[tuple[str, str], Asked]]
    journeys: Sequence[tuple[int, Asked]]


@dataclass(frozen=True)
class Displacement:
    """`messages` of a journey found at least one place taken by a message of the journey `by` (0: of none; None: the
    cap leaves no place at all)."""

    workflow_id: int
    by: int | None
    messages: int


@dataclass(frozen=True)
class Displaced:
    """A message that was skipped, and the messages that held the places it asked for."""

    message_id: int
    contact_id: int
    workflow_id: int
    step: str
    at: datetime
    holders: Sequence[tuple[int, int]]  # (message id, workflow id or 0), the oldest first


@dataclass(frozen=True)
class Pressed:
    """A contact in the span: how many of its messages were skipped, and how many took a place."""

    contact_id: int
    skipped: int
    sent: int
    last_workflow_id: int  # of the newest that was skipped; 0: of none


def span(*, days: int, channel: str = "", now: datetime) -> Span:
    """The last `days` days until `now`, or as much of them as has no more than MOST_READ decisions of a kind."""
    asked = now - timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT max(cut.at) FROM unnest(%s::text[]) AS kinds (kind),
                   LATERAL (SELECT at FROM contact_send_log WHERE kind = kinds.kind AND at > %s AND at <= %s
                             ORDER BY at DESC OFFSET %s LIMIT 1) cut
            """,
            [list(DECISIONS), asked, now, MOST_READ],
        )
        cut = cursor.fetchone()[0]
    return Span(cut or asked, now, channel, cut is not None)


# One row for each message about which the gate decided in the span. A place that was given back in it is no place.
_DECIDED = """
    SELECT l.message_id, min(l.channel) AS channel, min(l.workflow_id) AS workflow_id,
           bool_or(l.kind = 'capped') AS skipped, sum(l.cap_delta) AS places,
           bool_or(l.kind = 'claimed' AND l.cap_delta > 0) AS claimed,
           bool_or(l.kind = 'claimed' AND l.cap_delta = 0) AS exempt, bool_or(l.kind = 'deferred') AS put_off
      FROM contact_send_log l
     WHERE l.kind = ANY(%(kinds)s) AND l.at > %(since)s AND l.at <= %(until)s
       AND (l.kind <> 'deferred' OR l.reason = %(cap)s) AND (l.kind <> ALL(%(giving)s) OR l.cap_delta < 0)
       AND (%(channel)s = '' OR l.channel = %(channel)s)
     GROUP BY l.message_id
    HAVING bool_or(l.kind <> ALL(%(giving)s))
"""
_COMPETITION = f"""
    WITH decided AS MATERIALIZED ({_DECIDED})
    SELECT GROUPING(d.channel, d.workflow_id), d.channel, m.topic, COALESCE(d.workflow_id, 0),
           count(*) FILTER (WHERE NOT skipped AND claimed AND places > 0),
           count(*) FILTER (WHERE NOT skipped AND claimed AND places <= 0),
           count(*) FILTER (WHERE skipped),
           count(*) FILTER (WHERE NOT skipped AND NOT claimed AND NOT exempt),
           count(*) FILTER (WHERE put_off),
           count(*) FILTER (WHERE NOT skipped AND NOT claimed AND exempt)
      FROM decided d JOIN messages m ON m.id = d.message_id
     GROUP BY GROUPING SETS ((d.channel, m.topic), (d.workflow_id))
     ORDER BY 7 DESC, 5 DESC, d.channel, m.topic, d.workflow_id
"""
_OF_TOPICS = 0b01


def competition(of: Span) -> Competition:
    """Who asked for places in the span, and what they met. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPETITION, _asked(of))
        rows = cursor.fetchall()
    topics = [((row[1], row[2]), Asked(*row[4:])) for row in rows if row[0] == _OF_TOPICS]
    journeys = [(row[3], Asked(*row[4:])) for row in rows if row[0] != _OF_TOPICS]
    names = ("sent", "given_back", "skipped", "open", "put_off", "exempt")
    total = Asked(**{name: sum(getattr(each, name) for _, each in topics) for name in names})
    return Competition(total, topics, journeys)


# The newest skipped messages, and what held the places at that moment. The window that was full is worked out as the
# gate did: the week's where the week's limit was in the way, else the day's.
_HOLDERS = """
    WITH skipped AS MATERIALIZED (
        SELECT l.id, l.message_id, l.contact_id, l.channel, COALESCE(l.workflow_id, 0) AS workflow_id, l.at,
               COALESCE(l.evidence -> 'ahead', '[]'::jsonb) AS ahead,
               CASE WHEN (l.evidence ->> 'place_in_line')::int
                         <= (l.evidence ->> 'per_week')::int - (l.evidence ->> 'sent_week')::int
                      OR l.evidence ->> 'per_week' IS NULL AND l.evidence ->> 'per_day' IS NOT NULL
                    THEN %(day)s::interval ELSE %(week)s::interval END AS full_for
          FROM contact_send_log l
         WHERE l.kind = 'capped' AND l.at > %(since)s AND l.at <= %(until)s
           AND (%(channel)s = '' OR l.channel = %(channel)s)
         ORDER BY l.at DESC LIMIT %(most)s),
    holders AS (
        SELECT s.message_id, s.contact_id, s.workflow_id, s.at, held.message_id AS holder,
               COALESCE(held.workflow_id, 0) AS by
          FROM skipped s
         CROSS JOIN LATERAL (
               SELECT l.message_id, min(l.workflow_id) AS workflow_id FROM contact_send_log l
                WHERE l.contact_id = s.contact_id AND l.cap_delta <> 0 AND l.counts_at > s.at - s.full_for
                  AND l.counts_at <= s.at AND l.channel = s.channel AND l.id < s.id
                GROUP BY l.message_id HAVING sum(l.cap_delta) > 0) held
         UNION
        SELECT s.message_id, s.contact_id, s.workflow_id, s.at, m.id, COALESCE(m.workflow_id, 0)
          FROM skipped s CROSS JOIN LATERAL jsonb_array_elements_text(s.ahead) AS ahead (message_id)
          JOIN messages m ON m.id = ahead.message_id::bigint)
"""


def displacements(of: Span) -> list[Displacement]:
    """Which journeys' messages were skipped because of which other journeys' (or their own), most first; of the newest
    MOST_MATCHED skipped messages. A message that found places taken by two journeys counts for both. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_HOLDERS}
            SELECT s.workflow_id, h.by, count(DISTINCT s.message_id)
              FROM skipped s LEFT JOIN holders h ON h.message_id = s.message_id
             GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
            """,
            _asked(of) | {"most": MOST_MATCHED},
        )
        return [Displacement(*row) for row in cursor.fetchall()]


def displaced(of: Span, *, workflow_id: int, by: int | None, offset: int = 0, limit: int = 25) -> list[Displaced]:
    """The messages behind a number of `displacements`, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            {_HOLDERS}
            SELECT s.message_id, s.contact_id, s.workflow_id, m.step, s.at, h.holders, h.workflows
              FROM skipped s JOIN messages m ON m.id = s.message_id
              LEFT JOIN LATERAL (
                   SELECT array_agg(holder ORDER BY holder) AS holders, array_agg(by ORDER BY holder) AS workflows
                     FROM holders WHERE message_id = s.message_id) h ON true
             WHERE s.workflow_id = %(workflow)s
               AND (%(by)s::bigint IS NULL AND h.holders IS NULL OR %(by)s::bigint = ANY(h.workflows))
             ORDER BY s.at DESC, s.id DESC OFFSET %(offset)s LIMIT %(limit)s
            """,
            _asked(of) | {"most": MOST_MATCHED, "workflow": workflow_id, "by": by, "offset": offset, "limit": limit},
        )
        return [
            Displaced(message, contact, workflow, step, at, list(zip(holders or [], workflows or [], strict=True)))
            for message, contact, workflow, step, at, holders, workflows in cursor.fetchall()
        ]


def pressed(of: Span, *, offset: int = 0, limit: int = 25) -> list[Pressed]:
    """The contacts whose messages were skipped most often in the span."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.contact_id, p.skipped, t.sent, COALESCE(newest.workflow_id, 0)
              FROM (SELECT contact_id, count(DISTINCT message_id) AS skipped, max(id) AS newest FROM contact_send_log
                     WHERE kind = 'capped' AND at > %(since)s AND at <= %(until)s
                       AND (%(channel)s = '' OR channel = %(channel)s)
                     GROUP BY contact_id ORDER BY 2 DESC, 1 OFFSET %(offset)s LIMIT %(limit)s) p
              JOIN contact_send_log newest ON newest.id = p.newest
             CROSS JOIN LATERAL (
                   SELECT COALESCE(sum(cap_delta), 0) AS sent FROM contact_send_log
                    WHERE contact_id = p.contact_id AND cap_delta <> 0 AND counts_at > %(since)s
                      AND counts_at <= %(until)s AND (%(channel)s = '' OR channel = %(channel)s)) t
             ORDER BY p.skipped DESC, p.contact_id
            """,
            _asked(of) | {"offset": offset, "limit": limit},
        )
        return [Pressed(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Spread:
    """How many contacts got how many messages that count, in the week until now: (messages, contacts), from none on.
    `is_sample`: of contacts drawn evenly by id, not of all of them."""

    contacts: Sequence[tuple[int, int]]
    is_sample: bool

    @property
    def total(self) -> int:
        return sum(contacts for _, contacts in self.contacts)


def spread(*, channel: str = "", now: datetime) -> Spread:
    """Of all contacts, or of about SAMPLE of them. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(min(id), 0), COALESCE(max(id), 0) FROM contacts")
        first, last = cursor.fetchone()
        every = max(1, (last - first) // SAMPLE)
        cursor.execute(
            """
            SELECT got.messages, count(*)
              FROM contacts c
             CROSS JOIN LATERAL (
                   SELECT GREATEST(COALESCE(sum(l.cap_delta), 0), 0)::int AS messages FROM contact_send_log l
                    WHERE l.contact_id = c.id AND l.cap_delta <> 0 AND l.counts_at > %(since)s
                      AND l.counts_at <= %(until)s AND (%(channel)s = '' OR l.channel = %(channel)s)) got
             WHERE c.id IN (SELECT generate_series(%(first)s::bigint, %(last)s::bigint, %(every)s::bigint))
               AND c.merged_into_id IS NULL AND c.erased_at IS NULL
             GROUP BY 1 ORDER BY 1
            """,
            {
                "since": now - caps.WEEK / settings.TIME_SPEED,
                "until": now,
                "channel": channel,
                "first": first,
                "last": last,
                "every": every,
            },
        )
        return Spread(cursor.fetchall(), every > 1)


def _asked(of: Span) -> dict[str, Any]:
    return {
        "since": of.since,
        "until": of.until,
        "channel": of.channel,
        "kinds": [*DECISIONS, *sorted(GIVES_BACK)],
        "giving": sorted(GIVES_BACK),
        "cap": CAP,
        "day": caps.DAY / settings.TIME_SPEED,
        "week": caps.WEEK / settings.TIME_SPEED,
    }
