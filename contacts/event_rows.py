"""How events are written: keys, events and the queue of intake, in one statement."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from contacts import chaos, json_rows, redis_index

SHARDS = 16  # one contact's events share a shard, and a shard is taken by one worker at a time

# Keys are inserted sorted, so that two batches wait for each other in one direction only; events in the order of the
# batch, so that their ids follow it. A key that somebody else is just inserting is waited for, and then is theirs.
_INSERT = f"""
WITH given AS MATERIALIZED (
    SELECT (row->>0)::bigint AS contact_id, (row->>1)::bigint AS recorded_contact_id, row->>2 AS type,
           (row->>3)::timestamptz AS occurred_at, row->4 AS properties, row->5 AS context,
           (row->>6)::boolean AS processed, (row->>7)::boolean AS may_start, decode(row->>8, 'hex') AS key_hash,
           position
      FROM jsonb_array_elements(%(rows)s::jsonb) WITH ORDINALITY AS new(row, position)),
fresh AS (
    INSERT INTO event_keys (key_hash, recorded_at) SELECT key_hash, %(now)s FROM given ORDER BY key_hash
    ON CONFLICT (key_hash) DO NOTHING RETURNING key_hash),
numbered AS MATERIALIZED (
    SELECT nextval('contact_events_id_seq') AS id, ordered.*,
           may_start AND (type IN (SELECT event_type FROM awaited_events)
                          OR EXISTS (SELECT FROM awaited_events WHERE event_type = '*')) AS pending
      FROM (SELECT given.* FROM given JOIN fresh USING (key_hash) ORDER BY position) AS ordered),
stored AS (
    INSERT INTO contact_events (id, contact_id, recorded_contact_id, type, occurred_at, recorded_at,
                                properties, context, source, processed, key_hash)
    SELECT id, contact_id, recorded_contact_id, type, occurred_at, %(now)s,
           properties, context, %(source)s, processed, key_hash
      FROM numbered),
waiting AS (
    INSERT INTO pending_events (event_id, recorded_at, lane, shard)
    SELECT id, %(now)s, %(lane)s, contact_id %% {SHARDS} FROM numbered WHERE pending)
SELECT position - 1, id, pending FROM numbered
"""


class Row(NamedTuple):
    """An event as it will be stored. A plain tuple: there is one for each event of a batch."""

    place: int  # of the event in its batch
    type: str
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    contact_id: int
    recorded_contact_id: int
    occurred_at: datetime
    processed: bool
    may_start: bool  # something, if somebody awaits such events
    key: str  # hexadecimal; no two rows have the same
    zone: str  # to fill an empty one


def insert(rows: Sequence[Row], *, source: str, lane: str, now: datetime) -> list[tuple[Row, int, bool]]:
    """Store those whose key nobody had seen, and queue those that may start something and are of a type that somebody
    awaits. Those that were stored, in their order, each with its event id and whether it was queued. Raises DataError
    or UnicodeEncodeError for what PostgreSQL cannot hold."""
    if chaos.mutant("dedup_in_redis"):  # a drill may build in keys that are known for as long as Redis knows them
        seen, known = redis_index.connection(), redis_index.key("event_keys")
        rows = [row._replace(key=secrets.token_hex(16)) for row in rows if seen.sadd(known, row.key)]
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "rows": json_rows.dump(
                    (
                        row.contact_id,
                        row.recorded_contact_id,
                        row.type,
                        row.occurred_at.isoformat(),
                        row.properties,
                        row.context,
                        row.processed,
                        row.may_start,
                        row.key,
                    )
                    for row in rows
                ),
                "now": now,
                "source": source,
                "lane": lane,
            },
        )
        return [(rows[position], event_id, pending) for position, event_id, pending in cursor.fetchall()]
