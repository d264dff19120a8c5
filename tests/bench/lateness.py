"""How late waits ended: from the wake time to the commit of the journal's row, by PostgreSQL's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

_LATE = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(j.xmin) - e.wake_at)::float8,
       extract(epoch FROM j.at - e.wake_at)::float8
  FROM workflow_journal j JOIN workflow_enrolments e ON e.id = j.enrolment_id
 WHERE j.step = 'pause' AND j.outcome = 'advanced'
"""


@dataclass(frozen=True)
class Lateness:
    """In seconds. `early` is how many ended before their time."""

    count: int
    p50: float
    p99: float
    most: float
    early: int

    def __str__(self) -> str:
        ms = [f"{1000 * seconds:,.0f}" for seconds in (self.p50, self.p99, self.most)]
        return f"late by {ms[0]} / {ms[1]} / {ms[2]} ms (p50 / p99 / most) over {self.count:,}, {self.early} early"


def of(late: Sequence[float], *, early: int | None = None) -> Lateness:
    """`early`: where it was counted by another clock than lateness."""
    ordered = sorted(late)

    def at(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    found = sum(seconds < 0 for seconds in ordered) if early is None else early
    return Lateness(len(ordered), at(0.5), at(0.99), ordered[-1], found)


def of_journal(database: psycopg.Connection) -> Lateness:
    """Of the waits at the step `pause`; PostgreSQL must run with track_commit_timestamp. Early is whatever the engine
    took for due before its time: it read the clock before the commit."""
    rows = database.execute(_LATE).fetchall()
    return of([committed for committed, _ in rows], early=sum(looked < 0 for _, looked in rows))
