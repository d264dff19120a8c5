"""Books that balance: what came in is still here or went out by a door that was counted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import redis
from django.db import connection

from analytics import rebuild
from analytics.counters import ALL
from contacts import redis_index

FINAL = ("accepted", "rejected", "undetermined", "suppressed", "capped", "cancelled")
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
    SELECT w.slug, COALESCE(counted.entered, 0), COALESCE(counted.finished, 0) + COALESCE(live.here, 0)
      FROM workflows w
      LEFT JOIN (
           SELECT workflow_id, sum(amount) FILTER (WHERE metric = 'entered')::bigint AS entered,
                  sum(amount) FILTER (WHERE split_part(metric, ':', 1) IN ('completed', 'exited', 'failed'))::bigint
                  AS finished
             FROM {ALL} AS counted WHERE step = '' GROUP BY 1) counted ON counted.workflow_id = w.id
      LEFT JOIN (
           SELECT workflow_id, count(*) AS here FROM workflow_enrolments
            WHERE state IN ('pending', 'active', 'waiting') GROUP BY 1) live ON live.workflow_id = w.id
     ORDER BY w.slug
"""
_MESSAGES = """
    SELECT (SELECT count(*) FROM messages),
           (SELECT count(*) FROM outbox) + (SELECT count(*) FROM contact_send_log WHERE kind = ANY(%s))
           - (SELECT count(*) FROM contact_send_log WHERE kind = 'replayed')
"""


def balance() -> list[Book]:
    """Every book:

    * for each workflow: entered = pending + active + waiting + completed + exits + failed
    * messages = accepted + rejected - replayed + undetermined + suppressed + capped + cancelled + open or in doubt
    * the counters = a recount of the facts (one book, or one for each counter that is wrong)"""
    with connection.cursor() as cursor:
        cursor.execute(_ENROLMENTS)
        books = [Book(f"journey {slug}", left, right, left == right) for slug, left, right in cursor.fetchall()]
        cursor.execute(_MESSAGES, [list(FINAL)])
        left, right = cursor.fetchone()
        books.append(Book("messages", left, right, left == right))
    return [*books, *_counters()]


def glance() -> list[Book]:
    """The same, as it was at most GLANCE_SECONDS ago: for pages that refresh themselves."""
    key = redis_index.key("books")
    try:
        if kept := redis_index.connection().get(key):
            return [Book(**book) for book in json.loads(str(kept))]
    except redis.RedisError:
        return balance()
    books = balance()
    try:
        redis_index.connection().set(key, json.dumps([asdict(book) for book in books]), ex=GLANCE_SECONDS)
    except redis.RedisError:
        return books  # it will be worked out again the next time
    return books


def _counters() -> list[Book]:
    found = rebuild.compare()
    if not found.differences:
        return [Book("counters", found.counted, found.facts, True)]
    return [
        Book(
            " ".join(filter(None, ("counter", wrong.workflow, wrong.step, wrong.metric))),
            wrong.counted,
            wrong.facts,
            False,
        )
        for wrong in found.differences
    ]
