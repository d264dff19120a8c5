"""Books that balance: what came in is still here or went out by a door that was counted."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass

import redis
from django.db import connection

from analytics.counting import rebuild
from analytics.counting.counted import STANDING
from analytics.counting.counters import ALL
from contacts import redis_index

FINAL = ("accepted", "rejected", "undetermined", "suppressed", "capped", "cancelled")
SKIPPED = ("suppressed", "capped", "cancelled")
GLANCE_SECONDS = 15


@dataclass(frozen=True)
class Book:
    """`left` is what came in, `right` what became of it."""

    name: str
    left: int
    right: int
    balanced: bool


# One statement for each book, so its two sides are read at the same instant, while work goes on.
_ENROLMENTS = f"""
    SELECT w.id, 'journey ' || w.slug, COALESCE(counted.entered, 0),
           COALESCE(counted.finished, 0) + COALESCE(live.here, 0)
      FROM workflows w
      LEFT JOIN (
           SELECT workflow_id, sum(amount) FILTER (WHERE metric = 'entered')::bigint AS entered,
                  sum(amount) FILTER (WHERE split_part(metric, ':', 1) IN ('completed', 'exited', 'failed'))::bigint
                  AS finished
             FROM {ALL} AS counted WHERE step = '' GROUP BY 1) counted ON counted.workflow_id = w.id
      LEFT JOIN (
           SELECT workflow_id, count(*) AS here FROM workflow_enrolments
            WHERE state IN ('pending', 'active', 'waiting') GROUP BY 1) live ON live.workflow_id = w.id
     WHERE %(ids)s::bigint[] IS NULL OR w.id = ANY(%(ids)s)
     ORDER BY w.slug
"""
# The same from the counters alone, whatever the number of people.
_STANDING = f"""
    SELECT 'journey ' || w.slug, entered, finished
      FROM (SELECT workflow_id, sum(amount) FILTER (WHERE step = '' AND metric = 'entered')::bigint AS entered,
                   sum(amount) FILTER (WHERE metric = ANY(%s) OR (step = ''
                       AND split_part(metric, ':', 1) IN ('completed', 'exited', 'failed')))::bigint AS finished
              FROM {ALL} AS counted GROUP BY 1) counted
      JOIN workflows w ON w.id = counted.workflow_id
     WHERE entered IS DISTINCT FROM finished ORDER BY w.slug
"""
# Sent: whatever was wanted, and neither skipped nor still in the queue. Workflow 0: what no workflow wanted.
_POST = f"""
    SELECT c.workflow_id, 'post ' || COALESCE(w.slug, '(no journey)'), c.wanted - c.skipped - COALESCE(o.waiting, 0),
           c.ended + COALESCE(o.in_doubt, 0)
      FROM (SELECT workflow_id, COALESCE(sum(amount) FILTER (WHERE metric = 'queued'), 0)::bigint AS wanted,
                   COALESCE(sum(amount) FILTER (WHERE split_part(metric, ':', 1) = ANY(%(skipped)s)), 0)::bigint
                   AS skipped,
                   COALESCE(sum(CASE metric WHEN 'replayed' THEN -amount ELSE amount END)
                            FILTER (WHERE metric IN ('accepted', 'rejected', 'undetermined', 'replayed')), 0)::bigint
                   AS ended
              FROM {ALL} AS counted
             WHERE %(ids)s::bigint[] IS NULL OR workflow_id = ANY(%(ids)s) GROUP BY 1) c
      LEFT JOIN (
           SELECT COALESCE(m.workflow_id, 0) AS workflow_id, count(*) FILTER (WHERE o.state = 'in_doubt') AS in_doubt,
                  count(*) FILTER (WHERE o.state <> 'in_doubt') AS waiting
             FROM outbox o JOIN messages m ON m.id = o.message_id GROUP BY 1) o ON o.workflow_id = c.workflow_id
      LEFT JOIN workflows w ON w.id = c.workflow_id
     WHERE c.wanted <> 0 OR c.ended <> 0 ORDER BY w.slug
"""
_MESSAGES = """
    SELECT (SELECT count(*) FROM messages),
           (SELECT count(*) FROM outbox) + (SELECT count(*) FROM contact_send_log WHERE kind = ANY(%s))
           - (SELECT count(*) FROM contact_send_log WHERE kind = 'replayed')
"""
# What the last check of each workflow found: books, and counters that are not what the facts say.
_CHECKED = """
    SELECT b.name, b.left, b.right FROM counter_checks c
     CROSS JOIN LATERAL jsonb_to_recordset(c.books || c.differences) AS b(name text, "left" bigint, "right" bigint)
     WHERE b.left <> b.right ORDER BY 1
"""


def balance() -> list[Book]:
    """Every book, with the rows counted now, and all facts: minutes, where there are hundreds of millions of them.

    * for each workflow: entered = pending + active + waiting + completed + exits + failed
    * for each workflow: sent = accepted + rejected + in doubt (for now, or for good)
    * messages = accepted + rejected - replayed + undetermined + suppressed + capped + cancelled + open or in doubt
    * the counters = a recount of the facts (one book, or one for each counter that is wrong)"""
    found = [book for books in of_workflows(None).values() for book in books]
    books = sorted(found, key=lambda book: book.name)
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGES, [list(FINAL)])
        books.append(_book("messages", *cursor.fetchone()))
    return [*books, *_counters()]


def of_workflows(workflow_ids: Collection[int] | None) -> dict[int, list[Book]]:
    """The books of these workflows (0: messages that none of them wanted), or of all. Two statements."""
    known = {"ids": None if workflow_ids is None else sorted(workflow_ids), "skipped": list(SKIPPED)}
    books: dict[int, list[Book]] = {}
    with connection.cursor() as cursor:
        for statement in (_ENROLMENTS, _POST):
            cursor.execute(statement, known)
            for workflow_id, name, left, right in cursor.fetchall():
                books.setdefault(workflow_id, []).append(_book(name, left, right))
    return books


def unbalanced() -> list[Book]:
    """What is wrong, as far as it is known without counting again: journeys by their counters of this instant, and all
    that the last check of each workflow found (`reconcile`). Costs the same however many people there are."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [sorted(STANDING)])
        books = {name: _book(name, left, right) for name, left, right in cursor.fetchall()}
        cursor.execute(_CHECKED)
        books |= {name: _book(name, left, right) for name, left, right in cursor.fetchall()}
    return list(books.values())


def glance() -> list[Book]:
    """`unbalanced`, as it was at most GLANCE_SECONDS ago: for pages that refresh themselves."""
    key = redis_index.key("books")
    try:
        if kept := redis_index.connection().get(key):
            return [Book(**book) for book in json.loads(str(kept))]
    except redis.RedisError:
        return unbalanced()
    books = unbalanced()
    try:
        redis_index.connection().set(key, json.dumps([asdict(book) for book in books]), ex=GLANCE_SECONDS)
    except redis.RedisError:
        return books  # it will be worked out again the next time
    return books


def _counters() -> list[Book]:
    found = rebuild.compare()
    if not found.differences:
        return [Book("counters", found.counted, found.facts, True)]
    return [_book(f"counter {wrong.place}", wrong.counted, wrong.facts) for wrong in found.differences]


def _book(name: str, left: int, right: int) -> Book:
    return Book(name, left, right, left == right)
