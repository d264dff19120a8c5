"""Migrates the database of DATABASE_URL, which is empty, to where the last version ends, and then all the way. Prints
what was there before and after as JSON, and which of the old models cannot be read afterwards.

`python -m tests.operations.upgrading '{"contacts": "0012_…"}'`: the last migration of each app of the last version."""

from __future__ import annotations

import json
import sys
from typing import Any

import django

CATALOGUE = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> ''
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attnum > 0 AND NOT a.attisdropped
"""
REFUSALS = """
SELECT c.relname, k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('c', 'u', 'x', 'f') AND NOT c.relispartition
UNION
SELECT t.relname, i.relname FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
 WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace AND NOT t.relispartition
"""


def main(last: dict[str, str]) -> None:
    django.setup()
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    ours = [(app, last[app]) for app in last]
    executor.migrate([*ours, *(leaf for leaf in leaves if leaf[0] not in last)])
    before = catalogue(connection)
    old = executor.loader.project_state([*ours, *(leaf for leaf in leaves if leaf[0] not in last)]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(leaves)
    unread = []
    for model in old.get_models():
        if model._meta.app_label in last and model._meta.managed:
            try:
                list(model._default_manager.all()[:1])
            except django.db.DatabaseError as error:
                unread.append(f"{model._meta.label}: {str(error).splitlines()[0]}")
    print(json.dumps({"before": before, "after": catalogue(connection), "unread": unread}))


def catalogue(connection: Any) -> dict[str, Any]:
    """{"columns": {table: {column: [type, needed, filled by itself]}}, "refusals": {table: [constraint]}}"""
    columns: dict[str, dict[str, list[Any]]] = {}
    refusals: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE)
        for table, column, kind, needed, filled in cursor.fetchall():
            columns.setdefault(table, {})[column] = [kind, needed, filled]
        cursor.execute(REFUSALS)
        for table, name in sorted(cursor.fetchall()):
            refusals.setdefault(table, []).append(name)
    return {"columns": columns, "refusals": refusals}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
