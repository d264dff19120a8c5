"""One row that PostgreSQL refuses must not take its whole batch along."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DataError, OperationalError, transaction

from contacts.transactions import sqlstate

Item = TypeVar("Item")

LIMIT_EXCEEDED = "54"  # PostgreSQL's class of "too complex", "row too big", "stack depth exceeded"


def store(batch: Sequence[Item], write: Callable[[Sequence[Item]], None], refuse: Callable[[Item], None]) -> None:
    """`write` the batch in a savepoint; if its data is refused, halve it until only the culprits are left, and
    `refuse` those. A clean batch of any size is one call of `write`. Other errors pass."""
    if not batch:
        return
    try:
        with transaction.atomic():
            write(batch)
        return
    except (DataError, UnicodeEncodeError, RecursionError):
        pass
    except OperationalError as error:
        if not sqlstate(error).startswith(LIMIT_EXCEEDED):
            raise
    if len(batch) == 1:
        refuse(batch[0])
        return
    middle = len(batch) // 2
    store(batch[:middle], write, refuse)
    store(batch[middle:], write, refuse)
