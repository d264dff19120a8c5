"""SERIALIZABLE transactions and their retries: PostgreSQL may refuse one that would have been fine, so all of it is
run again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction

from contacts import chaos, transactions
from contacts.transactions import sqlstate

Result = TypeVar("Result")
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"


def run(work: Callable[[], Result], *, attempts: int = 12) -> Result:
    """`work` in a transaction of its own. Raises the last failure after `attempts`."""
    for attempt in range(1, attempts + 1):
        try:
            with transactions.opening() as begin, transaction.atomic(durable=True):
                if not chaos.mutant("engine.read_committed"):
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                begin()
                return work()
        except OperationalError as error:
            if sqlstate(error) not in {SERIALIZATION_FAILURE, DEADLOCK} or attempt == attempts:
                raise
            time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 7)))  # noqa: S311  (jitter, not a secret)
    raise AssertionError("unreachable")
