"""`score_checks`: which contacts have to be compared with the threshold, and when. Moved earlier by whatever happens,
later only by the comparison itself, which holds the contact's lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from contacts import chaos, doorbell, json_rows

BELL = "scoring.check"
LANES = ("urgent", "bulk")

# What is asked for now comes before what was asked for later; and nothing urgent waits behind a bulk import.
SOONER = """
    ON CONFLICT (contact_id) DO UPDATE SET
        check_at = LEAST(score_checks.check_at, EXCLUDED.check_at),
        lane = CASE WHEN EXCLUDED.lane = 'urgent' THEN 'urgent'
                    WHEN score_checks.check_at <= EXCLUDED.check_at THEN score_checks.lane
                    ELSE EXCLUDED.lane END
     WHERE score_checks.check_at > EXCLUDED.check_at OR (EXCLUDED.lane = 'urgent' AND score_checks.lane <> 'urgent')
"""

# Which event types matter is read from the rules in the same statement: every "event" of a signal, however deep.
_AFTER_EVENTS = f"""
    INSERT INTO score_checks (contact_id, check_at, lane)
    SELECT DISTINCT e.contact_id, %s::timestamptz, %s
      FROM (SELECT (row->>0)::bigint AS contact_id, row->>1 AS type
              FROM jsonb_array_elements(%s::jsonb) AS new(row)) AS e
     WHERE e.type IN (SELECT jsonb_path_query(r.signal, '$.**.event') #>> '{{}}'
                        FROM scoring_rules r JOIN scoring_rulesets s ON s.id = r.ruleset_id
                       WHERE s.state = 'active')
     ORDER BY e.contact_id
    {SOONER}
"""

_AFTER_CHANGES = f"""
    INSERT INTO score_checks (contact_id, check_at, lane)
    SELECT DISTINCT c.id, %s::timestamptz, %s
      FROM unnest(%s::bigint[]) AS c(id)
     WHERE EXISTS (SELECT FROM scoring_rules r JOIN scoring_rulesets s ON s.id = r.ruleset_id
                    WHERE s.state = 'active'
                      AND EXISTS (SELECT FROM unnest(%s::jsonpath[]) AS asks(path)
                                   WHERE jsonb_path_exists(r.signal, asks.path)))
     ORDER BY c.id
    {SOONER}
"""
_AFTER_MERGES = f"""
    INSERT INTO score_checks (contact_id, check_at, lane)
    SELECT DISTINCT c.id, %s::timestamptz, 'urgent' FROM unnest(%s::bigint[]) AS c(id)
     WHERE EXISTS (SELECT FROM scoring_rulesets s WHERE s.state = 'active')
     ORDER BY c.id
    {SOONER}
"""
# What a signal has in it when its truth may change with a contact's attributes and fields, or with its tags. Other
# nodes of one name are looked up by whoever registered them, so any change may be theirs.
_ASKS_FIELDS = '$.**.field ? (!(@ starts with "event."))'
_ASKS_TAGS = "$.**.has_tag"
_ASKS_MORE = ("$.**.in_list", "$.**.in_segment", "$.**.in_workflow")


def after_events(*, contact_ids: Sequence[int], types: Sequence[str], lane: str, now: datetime) -> None:
    """Ask for a check of every contact with an event of a type that an active rule looks at. One statement, in the
    transaction that recorded the events."""
    _ask(_AFTER_EVENTS, [now, lane, json_rows.dump(zip(contact_ids, types, strict=True))], lane)


def after_changes(*, contact_ids: Sequence[int], kinds: Collection[str], lane: str, now: datetime) -> None:
    """The same after a change of attributes, fields or tags, if any active rule looks at such."""
    asks = [*_ASKS_MORE]
    if "tag" in kinds:
        asks.append(_ASKS_TAGS)
    if {"attribute", "field"} & set(kinds):
        asks.append(_ASKS_FIELDS)
    _ask(_AFTER_CHANGES, [now, lane, list(contact_ids), asks], lane)


def after_merges(*, contact_ids: Sequence[int], now: datetime) -> None:
    """The same for contacts whose history is another one now, if there is an active ruleset."""
    _ask(_AFTER_MERGES, [now, list(contact_ids)], "urgent")


def claim(*, now: datetime, limit: int, lane: str | None) -> tuple[dict[int, datetime], list[int]]:
    """Lock up to `limit` contacts whose check is due: those to compare, in the order of their ids and each with the
    instant at which it was created, and those that are nobody any more.

    The contact is locked before its check, as whoever changes a contact does, and nothing here waits for a lock, so
    there is no deadlock; what another transaction holds is left for the next time. A transaction that records an
    event meanwhile waits at the check's row and asks again after us, or had it first and is seen by what we read
    next."""
    locks = not chaos.mutant("check_takes_no_lock")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id FROM score_checks k JOIN contacts c ON c.id = k.contact_id
             WHERE k.check_at <= %(now)s AND (%(lane)s::text IS NULL OR k.lane = %(lane)s)
             ORDER BY k.check_at LIMIT %(limit)s {"FOR NO KEY UPDATE OF c SKIP LOCKED" if locks else ""}
            """,
            {"now": now, "lane": lane, "limit": limit},
        )
        locked = [row[0] for row in cursor.fetchall()]
        if not locked:
            return {}, []
        cursor.execute(
            f"""
            SELECT k.contact_id, c.created_at, c.merged_into_id IS NULL AND c.erased_at IS NULL
              FROM score_checks k JOIN contacts c ON c.id = k.contact_id
             WHERE k.contact_id = ANY(%s) AND k.check_at <= %s
             ORDER BY k.contact_id {"FOR UPDATE OF k SKIP LOCKED" if locks else ""}
            """,
            [locked, now],
        )
        rows = cursor.fetchall()
    living = {contact_id: created_at for contact_id, created_at, alive in rows if alive}
    return living, [contact_id for contact_id, _, alive in rows if not alive]


def settle(*, contact_ids: Collection[int], next_checks: Mapping[int, datetime]) -> None:
    """What was claimed is done: arm the next check of each contact, or none. One statement."""
    ids = sorted(contact_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH plan AS (SELECT * FROM unnest(%s::bigint[], %s::timestamptz[]) AS p(contact_id, check_at)),
            done AS (DELETE FROM score_checks k USING plan p WHERE k.contact_id = p.contact_id AND p.check_at IS NULL)
            UPDATE score_checks k SET check_at = p.check_at, lane = 'urgent'
              FROM plan p WHERE k.contact_id = p.contact_id AND p.check_at IS NOT NULL
            """,
            [ids, [next_checks.get(contact_id) for contact_id in ids]],
        )


def due_lanes(*, now: datetime) -> list[str]:
    """The lanes in which a check is due, or, after an activation, has yet to be asked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT lane FROM unnest(%s::text[]) AS l(lane)
             WHERE EXISTS (SELECT FROM score_checks k WHERE k.lane = l.lane AND k.check_at <= %s)
                OR (lane = 'bulk' AND EXISTS (SELECT FROM scoring_rulesets s
                                               WHERE s.state = 'active' AND s.recheck_after IS NOT NULL))
            """,
            [list(LANES), now],
        )
        return [row[0] for row in cursor.fetchall()]


def _ask(statement: str, params: list[Any], lane: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        asked = cursor.rowcount
    if asked:
        doorbell.ring_on_commit(BELL, lane)
