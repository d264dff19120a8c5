"""What a condition would find, before it is a segment: how many, who for example, and what asking costs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from contacts.audiences import segments
from contacts.conditions import Sql, compile_condition, explain, parse
from contacts.patience import row_within

FEW = 100_000  # contacts: counted in some milliseconds
PATIENCE_MS = 4000  # for the exact count
SAMPLE = 10
GUESSED_FROM = 4000  # contacts that an estimate looks at
SLOW_MS = 1000


@dataclass(frozen=True)
class Preview:
    """`count`: the contacts that the condition is true of; an estimate where `estimated`, None where even that took too
    long. `total`: all contacts, as the database's statistics have it. `sample`: up to ten contact ids, the newest
    first. `ms`: how long the answer took. `cost`: the planner's. `slow`: keeping such a segment is dear."""

    count: int | None
    estimated: bool
    total: int
    sample: tuple[int, ...]
    ms: int
    cost: float
    slow: bool
    sentence: str


@dataclass(frozen=True)
class Counted:
    """The same for an expression over a row of contacts; `total` is at least `count`."""

    count: int | None
    estimated: bool
    total: int
    sample: tuple[int, ...]
    ms: int


def preview(tree: object, *, now: datetime) -> Preview:
    """Try a condition as it stands in JSON, in the caller's transaction. Reads only; gives up the exact count after
    PATIENCE_MS, and the estimate after as long again. Raises Refused for what is no condition of a segment."""
    assert connection.in_atomic_block, "preview needs the caller's transaction"
    segments.validate(tree)
    condition = parse(tree)
    where = compile_condition(condition, now=now)
    found = counted(where)
    return Preview(
        count=found.count,
        estimated=found.estimated,
        total=found.total,
        sample=found.sample,
        ms=found.ms,
        cost=_cost(where),
        slow=found.estimated or found.ms > SLOW_MS,
        sentence=explain(condition),
    )


def counted(where: Sql) -> Counted:
    """Of whom this is true, of the contacts that there are (called c), in the caller's transaction; as patient as
    `preview`."""
    started = time.monotonic()
    count, sample, estimated = _exact(where)
    total = _total()
    if count is None:
        count, sample = _guess(where, total)
    ms = round(1000 * (time.monotonic() - started))
    return Counted(count, estimated, max(total, count or 0), sample, ms)


_FOUND = "SELECT c.id FROM contacts AS c{sampled} WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND {where}"
_COUNT = (
    "WITH found AS MATERIALIZED ({found}) "
    f"SELECT (SELECT count(*) FROM found), ARRAY(SELECT id FROM found ORDER BY id DESC LIMIT {SAMPLE})"
)


def _exact(where: Sql) -> tuple[int | None, tuple[int, ...], bool]:
    """(count, sample, whether it took too long). One pass."""
    row = row_within(PATIENCE_MS, _COUNT.format(found=_FOUND.format(sampled="", where=where.text)), where.params)
    return (None, (), True) if row is None else (row[0], tuple(row[1]), False)


def _guess(where: Sql, total: int) -> tuple[int | None, tuple[int, ...]]:
    """The count as the share of a random sample of the table's pages says, and some of those who were met."""
    share = min(1.0, GUESSED_FROM / max(total, 1))
    found = _FOUND.format(sampled=" TABLESAMPLE SYSTEM (%s)", where=where.text)
    row = row_within(PATIENCE_MS, _COUNT.format(found=found), [100 * share, *where.params])
    return (None, ()) if row is None else (round(row[0] / share), tuple(row[1]))


def _cost(where: Sql) -> float:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {_FOUND.format(sampled='', where=where.text)}", where.params)
        plan = cursor.fetchone()[0]
    return float((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Total Cost"])


def _total() -> int:
    """How many contacts there are, as the statistics say; counted where that takes no time, and they may be old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'contacts'::regclass")
        (known,) = cursor.fetchone()
        if known < FEW:
            cursor.execute("SELECT count(*) FROM contacts")
            (known,) = cursor.fetchone()
        return known
