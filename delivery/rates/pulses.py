"""What was reported of each sending domain's marketing mail, minute by minute: what brake and warm-up look at.

A batch of reports adds its sums in the transaction that folds it, as a row of its own, since one row for all would make
every worker wait for every other. Housekeeping folds them into one row a minute. What is counted belongs to marketing:
what a campaign did is no reason to hold anything else, and a sign-up with a mistyped address says nothing of a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from delivery.rates import senders
from delivery.rates.ramps import Day
from delivery.signals import FeedbackNote
from delivery.webhooks import vocabulary

HEARD = frozenset({vocabulary.DELIVERED, vocabulary.HARD_BOUNCE, vocabulary.COMPLAINED})
BUCKET = 60.0  # seconds
KEPT = timedelta(days=3)
FOLDED_AT_ONCE = 5_000


def add(notes: Sequence[FeedbackNote], *, now: datetime) -> None:
    """Count what was reported for the first time, inside the transaction that records it. One statement, or none."""
    heard = [note for note in notes if note.kind in HEARD and note.first]
    if not heard:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sending_pulses (domain, at, delivered, hard_bounces, complaints)
            SELECT %s, %s, count(*) FILTER (WHERE r.kind = %s), count(*) FILTER (WHERE r.kind = %s),
                   count(*) FILTER (WHERE r.kind = %s)
              FROM unnest(%s::bigint[], %s::text[]) AS r (message_id, kind)
              JOIN messages m ON m.id = r.message_id
             WHERE m.channel = 'email' AND m.message_class = 'marketing' HAVING count(*) > 0
            """,
            [
                senders.domain("marketing"),
                _bucket(now),
                vocabulary.DELIVERED,
                vocabulary.HARD_BOUNCE,
                vocabulary.COMPLAINED,
                [note.message_id for note in heard],
                [note.kind for note in heard],
            ],
        )


def fold(*, now: datetime) -> bool:
    """Housekeeping, in the caller's transaction: one row a minute, and none that is older than anybody looks. Returns
    whether there was anything new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                DELETE FROM sending_pulses WHERE id = ANY(ARRAY(
                    SELECT id FROM sending_pulses WHERE NOT is_folded ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING domain, at, delivered, hard_bounces, complaints)
            INSERT INTO sending_pulses (domain, at, delivered, hard_bounces, complaints, is_folded)
            SELECT domain, at, sum(delivered), sum(hard_bounces), sum(complaints), true
              FROM taken GROUP BY 1, 2 ORDER BY 1, 2
                ON CONFLICT (domain, at) WHERE is_folded DO UPDATE
               SET delivered = sending_pulses.delivered + EXCLUDED.delivered,
                   hard_bounces = sending_pulses.hard_bounces + EXCLUDED.hard_bounces,
                   complaints = sending_pulses.complaints + EXCLUDED.complaints
            """,
            [FOLDED_AT_ONCE],
        )
        is_news = cursor.rowcount > 0
        if is_news:
            cursor.execute("DELETE FROM sending_pulses WHERE is_folded AND at < %s", [now - KEPT])
    return is_news


def since(begin: datetime) -> dict[str, Day]:
    """What was reported since then, by domain; after a release only what came later than it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.domain, sum(p.delivered), sum(p.hard_bounces), sum(p.complaints)
              FROM sending_pulses p LEFT JOIN sending_domains d ON d.domain = p.domain
             WHERE p.at > %s AND (d.released_at IS NULL OR p.at > d.released_at) GROUP BY 1 ORDER BY 1
            """,
            [begin],
        )
        return {domain: Day(*figures) for domain, *figures in cursor.fetchall()}


def between(domain: str, begins: datetime, ends: datetime) -> Day:
    """What was reported of the domain within [begins, ends)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT COALESCE(sum(delivered), 0), COALESCE(sum(hard_bounces), 0), COALESCE(sum(complaints), 0)
              FROM sending_pulses WHERE domain = %s AND at >= %s AND at < %s
            """,
            [domain, begins, ends],
        )
        return Day(*cursor.fetchone())


def _bucket(now: datetime) -> datetime:
    """The minute that `now` lies in (less where time runs faster)."""
    width = BUCKET / settings.TIME_SPEED
    return datetime.fromtimestamp(now.timestamp() // width * width, UTC)
