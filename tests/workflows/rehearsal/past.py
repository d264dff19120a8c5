"""A past to rehearse: what happens in a scratch under its clock, through the doors, becomes the live history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
from django.db import connection

from workflows import scratch
from workflows.scratch import Scratch
from workflows.scratch.emptying import KEPT


@contextmanager
def lived_through(since: datetime) -> Iterator[Scratch]:
    """What is done in the block, at the times that its clock shows, really happened."""
    with scratch.open_scratch(now=since) as room:
        yield room
        _make_real()


def _make_real() -> None:
    parameters = {**connection.get_connection_params(), "options": ""}
    for unneeded in ("cursor_factory", "context"):
        parameters.pop(unneeded, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (played,) = cursor.fetchone()
    with psycopg.connect(**parameters) as live:
        live.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        tables = live.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition AND relname <> %s",
            [played, KEPT],
        ).fetchall()
        for (table,) in tables:
            columns = live.execute(
                "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
                [table],
            ).fetchone()
            assert columns is not None
            live.execute(
                f"INSERT INTO {table} ({columns[0]}) OVERRIDING SYSTEM VALUE SELECT {columns[0]} FROM {played}.{table}"
                " ON CONFLICT DO NOTHING"
            )
            sequence = live.execute(
                "SELECT pg_get_serial_sequence(%s, a.attname) FROM pg_attribute a"
                " WHERE a.attrelid = %s::regclass AND a.attname = 'id' AND a.attnum > 0",
                [table, table],
            ).fetchone()
            if sequence is not None and sequence[0] is not None:
                live.execute(f"SELECT setval('{sequence[0]}', (SELECT COALESCE(max(id), 0) + 1 FROM {table}))")
