"""Emptying a scratch schema between two cases, quickly: few rows are deleted, many are truncated."""

from __future__ import annotations

from django.db import connection, transaction

KEPT = "django_migrations"
FEW = 2_000  # rows of a table; beyond, new files are cheaper than dead rows


def empty() -> None:
    """No rows, and every identity counts from 1."""
    tables, sequences = _tables(), _sequences()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'(SELECT count(*) FROM (SELECT FROM {t} LIMIT {FEW}) c)' for t in tables)}")
        counts = dict(zip(tables, cursor.fetchone(), strict=True))
        if any(count == FEW for count in counts.values()):
            cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
            return
        cursor.execute("SET LOCAL carillon.guarded_path = 'on'")  # facts are deleted too
        filled = [table for table, count in counts.items() if count]
        cursor.execute(";".join(f"DELETE FROM {table}" for table in filled) or "SELECT")
        cursor.execute(f"SELECT {', '.join(f'setval({s!r}, 1, false)' for s in sequences)}")


def continue_identity(table: str) -> None:
    """Let the identity of a table that was filled by copying count on behind its last row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        sequence = cursor.fetchone()[0]
        if sequence is not None:
            cursor.execute(f"SELECT setval(%s, GREATEST((SELECT max(id) FROM {table}), 1))", [sequence])


def _tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> %s ORDER BY relname",
            [KEPT],
        )
        return [name for (name,) in cursor.fetchall()]


def _sequences() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind = 'S' ORDER BY relname"
        )
        return [name for (name,) in cursor.fetchall()]
