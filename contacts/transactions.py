"""How an entrance runs its work: one transaction, the clock read once in it, and again from the start when PostgreSQL
asks for that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol, TypeVar

from django.db import OperationalError, connection, transaction

from contacts import clock

ATTEMPTS = 5
# serialization failure, deadlock, lock not available: nothing is wrong with the work, only with the moment
PASSING = frozenset({"40001", "40P01", "55P03"})

Result = TypeVar("Result")


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of a Django database error; empty when the error came from elsewhere."""
    return getattr(error.__cause__, "sqlstate", None) or ""


class Beginning(Protocol):
    """What has to be written in the transaction of the work that it announces: committed with it, or not at all.
    `is_written` is kept here."""

    is_written: bool

    def write(self) -> None: ...


_beginning: ContextVar[Beginning | None] = ContextVar("what the next transaction begins with", default=None)


def announce(first: Beginning | None) -> None:
    """From now on the next transaction of an entrance writes this before its work; None: nothing."""
    _beginning.set(first)


@contextmanager
def opening() -> Iterator[Callable[[], None]]:
    """For whoever opens the transaction of an entrance in another way than `run`:
    `with opening() as begin, transaction.atomic(): begin(); …`. What was not committed counts as not written."""
    first = _beginning.get()
    if first is None or first.is_written:
        yield lambda: None
        return

    def begin() -> None:
        first.write()
        first.is_written = True

    try:
        yield begin
    except BaseException:
        first.is_written = False
        raise


def run(work: Callable[[datetime], Result], *, aside: bool = False) -> Result:
    """Commit `work(now)` and return its result.

    `work` may run several times, so all that it does must be in the database. Inside a caller's transaction it runs
    once: only the outermost transaction can start again. `aside`: this is not what the request asked for, but
    something that is done by the way."""
    for attempt in range(1, ATTEMPTS + 1):
        nested = connection.in_atomic_block
        try:
            if aside:
                with transaction.atomic():
                    return work(clock.now())
            with opening() as begin, transaction.atomic():
                begin()
                return work(clock.now())
        except OperationalError as error:
            if nested or attempt == ATTEMPTS or sqlstate(error) not in PASSING:
                raise
            time.sleep(random.uniform(0.0, 0.01 * 2**attempt))  # noqa: S311  (jitter, not a secret)
    raise AssertionError("unreachable")


def try_out(work: Callable[[datetime], Result]) -> Result:
    """What `run(work)` would return; whatever it wrote is taken back, and what waits for its commit never happens."""

    def undone(now: datetime) -> Result:
        result = work(now)
        transaction.set_rollback(True)
        return result

    return run(undone)
