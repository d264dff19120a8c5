"""The recount of the post office's tallies: worked out anew from send log and feedback, compared, and put right.

What the facts say for certain is compared: day, channel, provider, class, what and why. From which domain it went, and
to which mailbox provider, was true when it was counted: since then a setting may have changed and a person may have
been erased. So that split is kept where the rest is right, and made anew, as things are today, where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from contacts import transactions
from delivery import tallies
from delivery.ledger import TOLD

_LOCK = 7311  # two that mend at once would mend twice
_CERTAIN = "day, channel, provider, message_class, what, reason"
_KEY = ", ".join(tallies.KEY)

_FACTS = f"""
    facts AS MATERIALIZED (
        SELECT (l.at AT TIME ZONE 'UTC')::date AS day, m.channel, l.provider, {tallies.SENDING} AS sending,
               {tallies.RECEIVING} AS receiving, m.message_class, l.kind AS what, l.reason, count(*) AS n
          FROM contact_send_log l JOIN messages m ON m.id = l.message_id
          LEFT JOIN addresses a ON a.id = l.address_id
         WHERE l.kind = ANY(%(told)s) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        UNION ALL
        SELECT (f.recorded_at AT TIME ZONE 'UTC')::date, m.channel, COALESCE(a.provider, f.provider),
               {tallies.SENDING}, {tallies.RECEIVING}, m.message_class,
               CASE WHEN f.is_machine AND f.kind = ANY(%(told_apart)s) THEN %(machine)s ELSE '' END || f.kind, '',
               count(*)
          FROM (SELECT DISTINCT ON (message_id, kind, is_machine) message_id, kind, is_machine, recorded_at, provider
                  FROM message_feedback WHERE message_id IS NOT NULL
                 ORDER BY message_id, kind, is_machine, id) f
          JOIN messages m ON m.id = f.message_id
          LEFT JOIN LATERAL (
               SELECT a.shown, l.provider FROM contact_send_log l JOIN addresses a ON a.id = l.address_id
                WHERE l.message_id = m.id AND l.provider <> '' ORDER BY l.id DESC LIMIT 1) a ON true
         GROUP BY 1, 2, 3, 4, 5, 6, 7),
    sides AS MATERIALIZED (
        SELECT {_KEY}, n AS facts, 0 AS counted FROM facts
         UNION ALL SELECT {_KEY}, 0, n FROM post_tallies),
    wrong AS (
        SELECT {_CERTAIN}, sum(counted)::bigint AS counted, sum(facts)::bigint AS facts FROM sides
         GROUP BY {_CERTAIN} HAVING sum(counted) <> sum(facts))
"""
_COMPARE = f"WITH {_FACTS} SELECT {_CERTAIN}, counted, facts FROM wrong ORDER BY {_CERTAIN}"
# What is wrong is put right by what is missing, as a count of its own like any other: whoever folds, counts or reads
# meanwhile is not in the way, since one statement sees facts and counts as they were at one instant.
_MEND = f"""
    WITH {_FACTS},
    mended AS (
        INSERT INTO post_tallies ({_KEY}, n)
        SELECT {_KEY}, sum(s.facts) - sum(s.counted) FROM sides s JOIN wrong USING ({_CERTAIN})
         GROUP BY {_KEY} HAVING sum(s.facts) <> sum(s.counted))
    SELECT {_CERTAIN}, counted, facts FROM wrong ORDER BY {_CERTAIN}
"""


@dataclass(frozen=True)
class Difference:
    """A tally that says `counted` where the facts say `facts`."""

    day: date
    channel: str
    provider: str
    message_class: str
    what: str
    reason: str
    counted: int
    facts: int


def compare() -> list[Difference]:
    """Count again and compare, in one statement, so work that goes on meanwhile is in both sides or in neither."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPARE, _words())
        return [Difference(*row) for row in cursor.fetchall()]


def mend() -> list[Difference]:
    """Put right what is wrong; returns what was. Work goes on meanwhile."""

    def work(now: Any) -> list[Difference]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute(_MEND, _words())
            return [Difference(*row) for row in cursor.fetchall()]

    return transactions.run(work)


def _words() -> dict[str, Any]:
    return tallies.words() | {
        "told": sorted(TOLD),
        "told_apart": sorted(tallies.TOLD_APART),
        "machine": tallies.MACHINE,
    }
