"""How the database is: what its statistics say of the tables that change most, and its oldest transaction. Estimates of
PostgreSQL, so asking costs the same however large it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Where rows come and go, and those that grow with every person and message.
TABLES = (
    "pending_events", "workflow_enrolments", "watch_checks", "entry_requests", "outbox", "webhook_inbox",
    "webhook_calls", "post_tallies", "score_checks", "counter_deltas", "latency_deltas", "counters", "contacts",
    "event_keys", "messages", "contact_send_log", "message_feedback",
)  # fmt: skip
PARTITIONED = ("contact_events", "workflow_journal")
LEAST_DEAD, MOST_DEAD = 10_000, 0.5  # dead rows that are worth a word, and their share beyond which they are too many
LONG_TRANSACTION_SECONDS = 300.0

_TABLES = """
    SELECT s.relname, s.n_live_tup, s.n_dead_tup, pg_total_relation_size(s.relid)
      FROM pg_stat_user_tables s WHERE s.schemaname = current_schema() AND s.relname = ANY(%s)
    UNION ALL
    SELECT p.name, sum(s.n_live_tup)::bigint, sum(s.n_dead_tup)::bigint, sum(pg_total_relation_size(t.relid))::bigint
      FROM unnest(%s::text[]) AS p(name) CROSS JOIN LATERAL pg_partition_tree(p.name::regclass) AS t
      JOIN pg_stat_user_tables s ON s.relid = t.relid WHERE t.isleaf GROUP BY 1
     ORDER BY 4 DESC, 1
"""
_WHOLE = """
    SELECT (SELECT min(xact_start) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'),
           (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
           current_setting('max_connections')::int,
           (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Table:
    """Rows are estimates; `size` with its indexes, in bytes."""

    name: str
    live: int
    dead: int
    size: int

    @property
    def dead_share(self) -> float:
        return self.dead / (self.live + self.dead) if self.dead else 0.0

    @property
    def is_bloated(self) -> bool:
        return self.dead >= LEAST_DEAD and self.dead_share > MOST_DEAD


@dataclass(frozen=True)
class Database:
    """`oldest` in seconds: the age of the oldest transaction but ours; 0 where there is none. `age`: transactions since
    the oldest id that is not frozen."""

    tables: tuple[Table, ...]
    oldest: float
    connections: int
    most_connections: int
    age: int

    @property
    def is_held_up(self) -> bool:
        return self.oldest > LONG_TRANSACTION_SECONDS


def read(*, now: datetime) -> Database:
    """Two statements; the largest table first."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [list(TABLES), list(PARTITIONED)])
        tables = tuple(Table(*row) for row in cursor.fetchall())
        cursor.execute(_WHOLE)
        oldest, connections, most, age = cursor.fetchone()
    return Database(tables, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0, connections, most, age)
