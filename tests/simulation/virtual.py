"""The virtual clock: one for SQL, for `contacts.clock` and for `time.monotonic`, moved by the scheduler alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.pq import TransactionStatus

WRONG_BY = timedelta(minutes=5)
BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Time:
    """No two transactions begin at the same instant: each is a microsecond later than the one before."""

    def __init__(self) -> None:
        self.at = BEGINNING
        self._ticks = 0
        self._began: dict[int, datetime] = {}  # by connection: when its last transaction did

    def start_over(self) -> None:
        self.at, self._ticks = BEGINNING, 0

    def now(self) -> datetime:
        return self.at + timedelta(microseconds=self._ticks)

    def monotonic(self) -> float:
        return (self.now() - BEGINNING).total_seconds()

    def move_to(self, at: datetime) -> None:
        if at > self.now():
            self.at, self._ticks = at, 0

    def begin(self, raw: Any) -> None:
        """The transaction that begins on this connection begins now."""
        begin = "" if raw.autocommit else "BEGIN;"
        done = raw.pgconn.exec_(f"{begin}{self.beginning(raw)}".encode())
        assert not done.error_message, done.error_message
        assert raw.autocommit or raw.info.transaction_status == TransactionStatus.INTRANS

    def beginning(self, raw: Any) -> str:
        """What a transaction on this connection that begins now has to begin with."""
        self._ticks += 1
        self._began[id(raw)] = self.now()
        return f"SET carillon.now = '{self.now().isoformat()}';"

    def of(self, raw: Any) -> datetime:
        """What SQL's now() is in the transaction of this connection; one that has none begins one."""
        status = raw.info.transaction_status
        assert status != TransactionStatus.INERROR, "PostgreSQL answers nothing in a transaction that has failed"
        if status == TransactionStatus.IDLE:
            if raw.autocommit:
                self._ticks += 1
                return self.now()
            self.begin(raw)
        return self._began[id(raw)]


class Module:
    """In the place of the module `time`, where production code waits or looks at a lease. The clock on this machine's
    wall is wrong, which is why nobody may read it."""

    def __init__(self, time: Time, sleep: Callable[[float], None]) -> None:
        self._now = time.now
        self.monotonic, self.sleep = time.monotonic, sleep

    def time(self) -> float:
        return (self._now() + WRONG_BY).timestamp()
