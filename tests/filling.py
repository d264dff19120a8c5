"""Many rows at once, by SQL, for tests that look at plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection


def fill(statements: str, values: Mapping[str, Any] | None = None) -> None:
    """Each of these, which a semicolon at the end of a line parts, with the same values.

    Plans that a connection keeps, such as a foreign key's own check, are made anew after each statement: one that was
    made when its table had a page, and VACUUM had just said so, reads the whole table for every row, a hundred times as
    slow at 25,000 rows. Once such a fill took more than two minutes, and nobody knows whether that was why: locks and
    statements have limits here, PostgreSQL says what it was, and the connection is still good for later tests."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '60s'")
        for statement in filter(str.strip, statements.split(";\n")):
            cursor.execute(statement, values)
            cursor.execute("DISCARD PLANS")
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT; SET LOCAL statement_timeout TO DEFAULT")
