"""A room with a clock: the process inside a scratch schema, and what may be done there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import _lru_cache_wrapper
from itertools import count
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import sql

from contacts import outside
from workflows.scratch import driver, due, emptying, schemas
from workflows.scratch.schemas import Schema

# Life at its own speed, and post that goes into a table: whatever the installation says.
_SETTINGS: Mapping[str, Any] = {
    "EMAIL_PROVIDER": "sandbox",
    "EMAIL_FALLBACK_PROVIDER": "",
    "SMS_PROVIDER": "sandbox",
    "PUSH_PROVIDER": "sandbox",
    "TIME_SPEED": 1.0,
}
_APPS = ("analytics.", "contacts.", "delivery.", "scoring.", "workflows.")

EachInstant = Callable[[datetime], None]
_streams = count(1)  # names of cursors


class Scratch:
    """What `open_scratch` lends. Not for more than one thread."""

    def __init__(self, schema: Schema, noted: outside.Noted, now: datetime) -> None:
        self._schema = schema
        self._noted = noted
        self._driver = driver.Driver(noted)
        self._rests = False  # nothing was due when we last looked, and the clock has stood still since
        self.now = now

    def set_clock(self, at: datetime) -> None:
        """It is `at` now. What is due by then is not done yet: that is `settle`'s or `run_until`'s."""
        if at < self.now:
            raise ValueError(f"the clock of a scratch does not go back, from {self.now} to {at}")
        schemas.set_clock(self._schema, at)
        self.now, self._rests = at, False

    def settle(self) -> None:
        """Do all that is due now, and all that follows from it now. Raises `driver.Restless` where it has no end."""
        self._driver.settle(now=self.now)
        self._rests = True

    def run_until(self, at: datetime, *, each: EachInstant | None = None) -> None:
        """Do whatever is due up to and including `at`, each at its own instant, then stand at `at`. `each` hears of
        every instant that the clock stops at, once all of it is done. Rows that were written without any bell (copies)
        need a `settle` of their own."""
        while True:
            if not self._rests or self._noted.bells:
                self.settle()
            if each is not None:
                each(self.now)
            if self.now >= at:
                return
            self.set_clock(due.next_instant(after=self.now, until=at) or at)

    def start_over(self, now: datetime) -> None:
        """Empty, as if nothing had ever been: every identity counts from 1 again, and it is `now`."""
        emptying.empty()
        self._driver.forget()
        forget_what_was_read()
        schemas.set_clock(self._schema, now)
        self.now, self._rests = now, False

    def copy(self, table: str, *, where: str = "", params: Sequence[Any] = (), columns: Sequence[str] = ()) -> int:
        """Copy rows of a live table into its double as they stand, in one statement, and let its identity go on behind
        them. `where` is a condition over the table's columns. Triggers of the table do not fire for copies. Returns
        how many."""
        names = sql.SQL(", ").join(map(sql.Identifier, columns or self.columns(table)))
        live, double = sql.Identifier(self._schema.live, table), sql.Identifier(self._schema.name, table)
        statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
            double, names, names, live
        )
        if where:
            statement += sql.SQL(" WHERE ") + sql.SQL(where)
        schemas.set_clock_of_keeper(self._schema, self.now)  # defaults of columns that are not copied ask for it
        copied = self._schema.keeper.execute(statement, list(params)).rowcount
        emptying.continue_identity(table)
        return copied

    def carry(self, statement: str, params: Mapping[str, Any]) -> int:
        """Run one statement that reads live tables and writes their doubles, which it names {double}.TABLE. For what
        `copy` cannot say: rows as they once were. Triggers fire as always. Returns how many rows it wrote."""
        schemas.set_clock_of_keeper(self._schema, self.now)
        return self._schema.keeper.execute(statement.replace("{double}", self._schema.name), dict(params)).rowcount

    def stream_live(self, statement: str, params: Mapping[str, Any], *, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query over the live schema, `size` at a time, as they were at one instant. They wait on the
        server, outside any transaction and any memory of ours."""
        keeper = self._schema.keeper
        name = sql.Identifier(f"streamed_{next(_streams)}")
        with keeper.transaction():
            keeper.execute("SET LOCAL statement_timeout = 0")
            keeper.execute(sql.SQL("DECLARE {} CURSOR WITH HOLD FOR ").format(name) + sql.SQL(statement), dict(params))
        try:
            while rows := keeper.execute(sql.SQL("FETCH {} FROM {}").format(sql.Literal(size), name)).fetchall():
                yield rows
        finally:
            keeper.execute(sql.SQL("CLOSE {}").format(name))

    def answer(self) -> None:
        """Answer the bells that were rung, and ask no sweep: for moments at which nothing comes due by itself."""
        if self._noted.bells:
            self._driver.answer()

    def columns(self, table: str) -> list[str]:
        """Of a live table, those that are not generated. Raises LookupError."""
        rows = self._schema.keeper.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
            " AND attgenerated = '' ORDER BY attnum",
            [f"{self._schema.live}.{table}"],
        ).fetchall()
        if not rows:
            raise LookupError(f"there is no live table {table!r}")
        return [name for (name,) in rows]

    def ask(self, statement: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of the scratch."""
        with connection.cursor() as cursor:
            cursor.execute(statement, list(params))
            return cursor.fetchall()

    def ask_live(self, statement: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of the live schema, read in a transaction that cannot write; {double}.TABLE names one of the scratch
        beside it. `now()` is the real time there."""
        keeper = self._schema.keeper
        with keeper.transaction():
            keeper.execute("SET TRANSACTION READ ONLY")
            return keeper.execute(statement.replace("{double}", self._schema.name), params or None).fetchall()


@contextmanager
def open_scratch(*, now: datetime, say: schemas.Say = lambda _: None) -> Iterator[Scratch]:
    """Take this process into an empty scratch schema in which it is `now` (aware). `say` hears a sentence when that
    takes long. Raises NoScratch."""
    with schemas.lend(say) as schema, outside.closed() as noted, _settled(), schemas.switched(schema, now):
        room = Scratch(schema, noted, now)
        room.start_over(now)
        try:
            yield room
        finally:
            emptying.empty()
            forget_what_was_read()


@contextmanager
def _settled() -> Iterator[None]:
    """The settings of a scratch, and silence about Redis, which nobody misses here."""
    before = {name: getattr(settings, name) for name in _SETTINGS}
    level = logging.root.manager.disable
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    logging.disable(max(level, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(level)
        for name, value in before.items():
            setattr(settings, name, value)


def forget_what_was_read() -> None:
    """Empty what functions of ours remember: ids of a scratch that was emptied mean other rows."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_APPS):
            for found in list(vars(module).values()):
                if isinstance(found, _lru_cache_wrapper):
                    found.cache_clear()
