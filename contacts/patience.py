"""Questions that are asked for so long and no longer: the answer of a big table may not be worth the wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction

from contacts.transactions import sqlstate

_CANCELLED = "57014"


class TookTooLong(Exception):
    """A statement was given up after the time that it was given."""


def row_within(milliseconds: int, statement: str, params: list[Any]) -> tuple[Any, ...] | None:
    """The first row, in the caller's transaction, which goes on either way; None where it took longer."""
    try:
        with at_most(milliseconds), connection.cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchone()
    except TookTooLong:
        return None


@contextmanager
def at_most(milliseconds: int, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """No statement in this block takes longer, or the block ends with TookTooLong; the caller's transaction goes on
    either way."""
    try:
        with transaction.atomic(using), connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            usual = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [str(milliseconds)])
            yield
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [usual])
    except OperationalError as error:
        if sqlstate(error) != _CANCELLED:
            raise
        raise TookTooLong from error
