"""How many events came in, by hour, source and what became of them: accepted, duplicate, held, rejected:<code>.

A batch writes its counts in its own transaction, so that they are true if and only if its events are; they are rows of
their own, because one row for all would make every producer wait for every other. Folded later; whoever reads adds
both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from contacts.faults import Fault

ACCEPTED, DUPLICATE, HELD = "accepted", "duplicate", "held"
REJECTED = "rejected:"
FOLDED_AT_ONCE = 5_000


@dataclass(frozen=True)
class Tally:
    """`amount` events of an hour (its start, UTC) that came from `source` had this outcome. `held` is a part of
    `accepted`: stored, and not used for want of consent."""

    hour: datetime
    source: str
    outcome: str
    amount: int


def rejections(faults: Iterable[list[Fault]]) -> dict[str, int]:
    """The outcomes of rejected elements: each counts once, under the first thing that was wrong with it. Pure."""
    counts: dict[str, int] = {}
    for found in faults:
        outcome = REJECTED + found[0].code
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def count(outcomes: Mapping[str, int], *, source: str, now: datetime) -> None:
    """Add these amounts, within the caller's transaction. One statement, or none."""
    counted = {outcome: amount for outcome, amount in outcomes.items() if amount}
    if counted:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO intake_deltas (hour, source, outcome, amount)
                SELECT %s, %s, outcome, amount FROM unnest(%s::text[], %s::bigint[]) AS new(outcome, amount)
                """,
                [_hour(now), source, list(counted), list(counted.values())],
            )


def hours(since: datetime, now: datetime) -> list[Tally]:
    """What came in since the hour of `since` and until now, oldest first: folded or not, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT hour, source, outcome, sum(amount)::bigint
              FROM (SELECT hour, source, outcome, amount FROM intake_tallies
                    UNION ALL SELECT hour, source, outcome, amount FROM intake_deltas) AS counted
             WHERE hour BETWEEN %s AND %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """,
            [_hour(since), now],
        )
        return [Tally(*row) for row in cursor.fetchall()]


def fold(limit: int = FOLDED_AT_ONCE) -> bool:
    """Move up to `limit` counts into the tallies; whether there were any. One statement, so whoever reads meanwhile
    sees every count once; two folders take different rows, and the tallies in one order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH taken AS (
                DELETE FROM intake_deltas WHERE id = ANY(ARRAY(
                    SELECT id FROM intake_deltas ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING hour, source, outcome, amount)
            INSERT INTO intake_tallies (hour, source, outcome, amount)
            SELECT hour, source, outcome, sum(amount) FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT ON CONSTRAINT one_tally_per_hour_source_and_outcome
            DO UPDATE SET amount = intake_tallies.amount + EXCLUDED.amount
            """,
            [limit],
        )
        return cursor.rowcount > 0


def prune(*, before: datetime) -> None:
    """Forget the hours before that instant."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM intake_tallies WHERE hour < %s", [before])


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
