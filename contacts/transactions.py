"""How an entrance runs its work: one transaction, the clock read once in it, and again from the start when PostgreSQL
asks for that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.db import OperationalError, connection, transaction

from contacts import clock

ATTEMPTS = 5
# serialization failure, deadlock, lock not available: nothing is wrong with the work, only with the moment
PASSING = frozenset({"40001", "40P01", "55P03"})

Result = TypeVar("Result")


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of a Django database error; empty when the error came from elsewhere."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def run(work: Callable[[datetime], Result]) -> Result:
    """Commit `work(now)` and return its result.

    `work` may run several times, so all that it does must be in the database. Inside a caller's transaction it runs
    once: only the outermost transaction can start again."""
    for attempt in range(1, ATTEMPTS + 1):
        nested = connection.in_atomic_block
        try:
            with transaction.atomic():
                return work(clock.now())
        except OperationalError as error:
            if nested or attempt == ATTEMPTS or sqlstate(error) not in PASSING:
                raise
            time.sleep(random.uniform(0.0, 0.01 * 2**attempt))  # noqa: S311  (jitter, not a secret)
    raise AssertionError("unreachable")
