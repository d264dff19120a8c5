"""How long things take: histograms with fixed buckets, by lane and day, cumulative since ever.

    event_to_enrolment   from the event's record to the enrolment that it caused
    event_to_provider    from the event's record to the provider's acceptance of what was sent for it at once: of
                         messages that no wait, quiet hours or allowance of the person put off
    timer                from the wake time of a wait to the claim that ended it
    webhook              from the storing of a provider's report to its folding

The first two and the last are read from the facts (`delays_facts`); the engine tells the third with every batch. Either
way the buckets come as deltas and are folded; the truth is both together."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

EVENT_TO_ENROLMENT, EVENT_TO_PROVIDER, TIMER, WEBHOOK = "event_to_enrolment", "event_to_provider", "timer", "webhook"
NAMES = (EVENT_TO_ENROLMENT, EVENT_TO_PROVIDER, TIMER, WEBHOOK)
LANES_OF = {name: ("webhooks",) if name == WEBHOOK else ("urgent", "bulk") for name in NAMES}
BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 3600000)
LONGER = -1  # `up_to_ms` of what is longer than all of them
FOLDED_AT_ONCE = 10_000
KEPT = timedelta(days=100)  # as days of their own; before that they are one
LONG_AGO = date(1970, 1, 1)  # the day under which they are kept

_FOLD = """
    WITH taken AS (
        DELETE FROM latency_deltas WHERE id = ANY(ARRAY(
            SELECT id FROM latency_deltas ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
        RETURNING name, lane, up_to_ms, day, count, sum_ms)
    INSERT INTO latencies (name, lane, up_to_ms, day, count, sum_ms)
    SELECT name, lane, up_to_ms, day, sum(count), sum(sum_ms) FROM taken GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT ON CONSTRAINT one_latency_bucket_a_day
    DO UPDATE SET count = latencies.count + EXCLUDED.count, sum_ms = latencies.sum_ms + EXCLUDED.sum_ms
"""
# Their days become one, as deltas: whoever folds them takes the buckets in one order with everybody else.
_AGE = """
    WITH old AS (
        DELETE FROM latencies WHERE day < %s AND day > %s RETURNING name, lane, up_to_ms, count, sum_ms)
    INSERT INTO latency_deltas (name, lane, up_to_ms, day, count, sum_ms)
    SELECT name, lane, up_to_ms, %s, sum(count), sum(sum_ms) FROM old GROUP BY 1, 2, 3
"""
_COLUMNS = "name, lane, up_to_ms, day, count, sum_ms"
_READ = f"""
    SELECT name, lane, up_to_ms, sum(count)::bigint, sum(sum_ms)::bigint
      FROM (SELECT {_COLUMNS} FROM latencies UNION ALL SELECT {_COLUMNS} FROM latency_deltas) AS measured
     WHERE %(since)s::date IS NULL OR day >= %(since)s GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Histogram:
    """`counts`: how many took so long, one for each of BOUNDS_MS (the upper bound belongs to it) and one for what took
    longer; not cumulative."""

    name: str
    lane: str
    counts: tuple[int, ...]
    sum_ms: int

    @property
    def total(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """In seconds; within a bucket as if what is in it were spread evenly, as Prometheus does. None: nothing was
        measured. infinity: it is longer than the longest bound."""
        wanted = share * self.total
        below = 0
        for number, count in enumerate(self.counts):
            if count and below + count >= wanted:
                if number == len(BOUNDS_MS):
                    return math.inf
                least = BOUNDS_MS[number - 1] if number else 0
                return (least + (BOUNDS_MS[number] - least) * max(0.0, wanted - below) / count) / 1000
            below += count
        return None

    def within(self, seconds: float) -> float | None:
        """The share that took at most so long, one of the bounds; None: nothing was measured."""
        known = self.counts[: BOUNDS_MS.index(round(seconds * 1000)) + 1]
        return sum(known) / self.total if self.total else None


def note(name: str, lane: str, took: Iterable[timedelta], *, now: datetime) -> None:
    """Write what was measured, inside the caller's transaction: it counts if and only if the work does. One
    statement, or none."""
    amounts: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    for each in took:
        ms = max(0, math.ceil(each.total_seconds() * 1000))
        number = bisect_left(BOUNDS_MS, ms)
        bucket = BOUNDS_MS[number] if number < len(BOUNDS_MS) else LONGER
        amounts[bucket] += 1
        sums[bucket] += ms
    if not amounts:
        return
    buckets = sorted(amounts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO latency_deltas (name, lane, up_to_ms, day, count, sum_ms)
            SELECT %s, %s, d.up_to_ms, %s, d.count, d.sum_ms
              FROM unnest(%s::int[], %s::bigint[], %s::bigint[]) AS d(up_to_ms, count, sum_ms)
            """,
            [
                name,
                lane,
                now.astimezone(UTC).date(),
                buckets,
                [amounts[bucket] for bucket in buckets],
                [sums[bucket] for bucket in buckets],
            ],
        )


def fold(limit: int = FOLDED_AT_ONCE) -> bool:
    """Move up to `limit` deltas into their days. Returns whether there were any. One statement, so whoever reads
    meanwhile sees each measurement once."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [limit])
        return cursor.rowcount > 0


def age(*, now: datetime) -> None:
    """Make the days before KEPT one, so that what is read does not grow with the years. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_AGE, [now.astimezone(UTC).date() - KEPT, LONG_AGO, LONG_AGO])


def read(*, since: date | None = None) -> Mapping[tuple[str, str], Histogram]:
    """Every histogram by name and lane, those without measurements among them, since that day (UTC) or ever. One
    statement over rows that are few: buckets, of a hundred days at most."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"since": since})
        rows = cursor.fetchall()
    known = {(name, lane): Histogram(name, lane, _NONE, 0) for name in NAMES for lane in LANES_OF[name]}
    found: dict[tuple[str, str], dict[int, tuple[int, int]]] = {}
    for name, lane, up_to_ms, count, sum_ms in rows:
        found.setdefault((name, lane), {})[up_to_ms] = (count, sum_ms)
    for (name, lane), buckets in found.items():
        counts = tuple(buckets.get(bound, (0, 0))[0] for bound in (*BOUNDS_MS, LONGER))
        known[name, lane] = Histogram(name, lane, counts, sum(sum_ms for _, sum_ms in buckets.values()))
    return known


_NONE = (0,) * (len(BOUNDS_MS) + 1)


def together(histograms: Sequence[Histogram]) -> Histogram:
    """Those of several lanes as one; `histograms` are of one name and not empty."""
    counts = tuple(sum(column) for column in zip(*(each.counts for each in histograms), strict=True))
    return Histogram(histograms[0].name, "", counts, sum(each.sum_ms for each in histograms))
