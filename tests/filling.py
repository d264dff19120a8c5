"""Many rows at once, by SQL, for tests that look at plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection


def fill(statements: str, values: Mapping[str, Any] | None = None) -> None:
    """Each of these, which a semicolon at the end of a line parts, with the same values.

    The plan of a foreign key's own check is kept with the connection. One that was made when its table had a page, and
    VACUUM had just said so, reads the whole table for every row, however large it has become: that took minutes, now
    and then. So after each statement plans are made anew. Where something takes too long all the same, PostgreSQL says
    what, and the connection is still good for the tests after it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '60s'")
        for statement in filter(str.strip, statements.split(";\n")):
            cursor.execute(statement, values)
            cursor.execute("DISCARD PLANS")
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT; SET LOCAL statement_timeout TO DEFAULT")
