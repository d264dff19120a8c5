"""How many messages met what, by day, channel, provider, sending domain, mailbox provider and class: `post_tallies`.

A batch adds its counts in the statement that writes its outcomes, or in the transaction that folds its reports, so they
are true if and only if those are; as rows of their own, because one row for all would make every sender wait for every
other. Housekeeping folds them into one row a day and key; whoever reads sums both.

Counted are messages, not reports: of what a message may meet often (an open, a soft bounce) the first counts. Nothing
here says who got what; a mailbox provider is a name from `delivery.mailboxes`, never a domain of the person's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from django.db import connection

from contacts import transactions
from delivery import mailboxes
from delivery.rates import senders
from delivery.webhooks import vocabulary

FOLDED_AT_ONCE = 5_000
MACHINE = "machine_"  # before `opened` and `clicked` that no person did
TOLD_APART = frozenset({vocabulary.OPENED, vocabulary.CLICKED})  # by whether a person or a machine did it
KEY = ("day", "channel", "provider", "sending", "receiving", "message_class", "what", "reason")

# Expressions for statements that have `m` (messages) and `a` (addresses, or nothing), and `words()` among their
# parameters.
SENDING = "CASE m.channel WHEN 'email' THEN COALESCE(%(sending)s::jsonb ->> m.message_class, '') ELSE '' END"
RECEIVING = f"""CASE m.channel WHEN 'email' THEN
    COALESCE(%(mailboxes)s::jsonb ->> lower(split_part(a.shown, '@', -1)), '{mailboxes.OTHER}') ELSE '' END"""

_FEEDBACK = f"""
    INSERT INTO post_tallies (day, channel, provider, sending, receiving, message_class, what, reason, n)
    SELECT %(day)s, m.channel, COALESCE(a.provider, f.provider), {SENDING}, {RECEIVING}, m.message_class, f.what, '',
           count(*)
      FROM unnest(%(messages)s::bigint[], %(what)s::text[], %(providers)s::text[]) AS f (message_id, what, provider)
      JOIN messages m ON m.id = f.message_id
      LEFT JOIN LATERAL (
           SELECT a.shown, l.provider FROM contact_send_log l JOIN addresses a ON a.id = l.address_id
            WHERE l.message_id = m.id AND l.provider <> '' ORDER BY l.id DESC LIMIT 1) a ON true
     GROUP BY 2, 3, 4, 5, 6, 7 ORDER BY 2, 3, 4, 5, 6, 7
"""

_FOLD = f"""
    WITH taken AS (
        DELETE FROM post_tallies WHERE id = ANY(ARRAY(
            SELECT id FROM post_tallies WHERE NOT is_folded ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING {", ".join(KEY)}, n)
    INSERT INTO post_tallies ({", ".join(KEY)}, n, is_folded)
    SELECT {", ".join(KEY)}, sum(n), true FROM taken GROUP BY {", ".join(KEY)} ORDER BY {", ".join(KEY)}
        ON CONFLICT ({", ".join(KEY)}) WHERE is_folded DO UPDATE SET n = post_tallies.n + EXCLUDED.n
"""


@dataclass(frozen=True)
class Heard:
    """The first report of its kind about a message."""

    message_id: int
    kind: str  # of the vocabulary
    is_machine: bool
    provider: str


def what(kind: str, is_machine: bool) -> str:
    """What a report counts as."""
    return MACHINE + kind if is_machine and kind in TOLD_APART else kind


def day_of(now: datetime) -> date:
    return now.astimezone(UTC).date()


def sending_domains() -> Mapping[str, str]:
    """The domain that mail of each class is sent from."""
    return {message_class: senders.domain(message_class) for message_class in ("marketing", "transactional")}


def words() -> dict[str, Any]:
    """The parameters of SENDING and RECEIVING."""
    return {"sending": json.dumps(dict(sending_domains())), "mailboxes": _mailboxes()}


@cache
def _mailboxes() -> str:
    return json.dumps(dict(mailboxes.BY_DOMAIN))


def count_feedback(heard: Sequence[Heard], *, now: datetime) -> None:
    """Count these, inside the transaction that folds their reports. One statement, or none."""
    if not heard:
        return
    asked: dict[str, Any] = {
        "day": day_of(now),
        "messages": [each.message_id for each in heard],
        "what": [what(each.kind, each.is_machine) for each in heard],
        "providers": [each.provider for each in heard],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FEEDBACK, asked | words())


def fold_batch() -> bool:
    """Fold what was counted lately into its days. Returns whether there was anything."""
    return transactions.run(lambda now: fold())


def fold(limit: int = FOLDED_AT_ONCE) -> bool:
    """One statement, so whoever reads meanwhile sees every count once; two folders take different rows, and the days in
    one order."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [limit])
        return cursor.rowcount > 0
