"""A file as batches of understood rows, from any place on. Each batch knows where the next one begins, so that it can
be committed together with its place."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.db import connection

from contacts.importing import copying, reading
from contacts.importing import mapping as columns
from contacts.importing.copying import Copies
from contacts.importing.csv_rows import BrokenLine, Record, Table
from contacts.importing.mapping import ColumnMap
from contacts.importing.rows import Row, understanding
from contacts.importing.sniffing import Format
from contacts.importing.sources import Source

FIRST_BATCH, SMALLEST, LARGEST = 1000, 100, 4000  # rows
LONGEST_SECONDS = 0.12  # that a batch should take: whoever waits for a lock of ours waits so long
Item = TypeVar("Item")


@dataclass(frozen=True)
class Batch:
    """`start`, `end`: bytes of the file (the first batch starts at 0: the header is its); `line`: the last one that is
    in it."""

    start: int
    end: int
    line: int
    rows: list[Row]
    refused: list[BrokenLine]
    copies: Copies | None = None


class Batches:
    """Iterates over the batches from `position` and `line` on. `size` and `copies` may be changed at any time.

    `copies`: whether it is also made out what copying the rows takes: a waste where people are known."""

    def __init__(
        self,
        source: Source,
        format: Format,
        mapping: ColumnMap,
        *,
        lists: Collection[str] = (),
        position: int = 0,
        line: int = 0,
        copies: bool = False,
    ) -> None:
        """Reads the header. Raises BadHeader."""
        self.size, self.copies = FIRST_BATCH, copies
        self._may_copy = copies
        self._measure = reading.sizer(format.encoding)
        table = open_table(source, format)
        columns.check(mapping, table.header)
        self._understand = understanding(mapping, table.header, lists)
        self._place = self._start = position
        if position:
            table = Table(
                reading.lines(source.blocks(position), format.encoding),
                format.dialect,
                header=table.header,
                line=line,
            )
        else:
            mark = reading.mark_size(format.encoding, next(source.blocks(0), b""))
            self._start = mark + self._measure(table.finished())
        self._table = table

    def __iter__(self) -> Iterator[Batch]:
        while (found := self._table.batch(self.size)) is not None:
            rows: list[Row] = []
            refused: list[BrokenLine] = []
            for each in found:
                understood = self._understand(each) if isinstance(each, Record) else each
                if isinstance(understood, Row):
                    rows.append(understood)
                else:
                    refused.append(understood)
            end = self._start + self._measure(self._table.finished())
            copies = copying.prepare(rows) if self.copies else None
            yield Batch(self._place, end, self._table.line, rows, refused, copies)
            self._place = self._start = end

    def took(self, seconds: float, *, new: float = 1.0) -> None:
        """How long the last batch held its locks, and which share of its people were new: the next ones are made to
        fit."""
        self.copies = self._may_copy and new > 0.5
        fitting = int(self.size * LONGEST_SECONDS / max(seconds, 0.001))
        self.size = max(SMALLEST, min(LARGEST, fitting, self.size * 2))


def open_table(source: Source, format: Format) -> Table:
    """The table at the beginning of the file, its header read. Raises BadHeader."""
    mark = reading.mark_size(format.encoding, next(source.blocks(0), b""))
    return Table(reading.lines(source.blocks(mark), format.encoding), format.dialect)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """A thread that PostgreSQL has answered does not wait long for the one that reads."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def ahead(items: Callable[[], Iterator[Item]], depth: int = 1) -> Iterator[Item]:
    """The same items, made in a thread of their own while the last ones are worked on: reading a file is Python's work,
    writing is PostgreSQL's, and they overlap."""
    line: queue.Queue[tuple[str, Item | BaseException | None]] = queue.Queue(depth)
    left = threading.Event()

    def put(word: str, item: Item | BaseException | None) -> None:
        while not left.is_set():
            try:
                line.put((word, item), timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items():
                put("item", item)
                if left.is_set():
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)
        finally:
            connection.close()  # this thread's own, where the source is the database

    thread = threading.Thread(target=work, daemon=True, name="read ahead")
    thread.start()
    try:
        while True:
            word, item = line.get()
            if word == "end":
                return
            if word == "error":
                raise item  # type: ignore[misc]
            yield item  # type: ignore[misc]
    finally:
        left.set()
        thread.join()
