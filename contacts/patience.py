"""Questions that are asked for so long and no longer: the answer of a big table may not be worth the wait."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection, transaction

from contacts.transactions import sqlstate

_CANCELLED = "57014"


def row_within(milliseconds: int, statement: str, params: list[Any]) -> tuple[Any, ...] | None:
    """The first row, in the caller's transaction, which goes on either way; None where it took longer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            usual = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [str(milliseconds)])
            cursor.execute(statement, params)
            row = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [usual])
            return row
    except OperationalError as error:
        if sqlstate(error) != _CANCELLED:
            raise
        return None
