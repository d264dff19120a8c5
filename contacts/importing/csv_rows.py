"""A file of delimited text as records, read in one pass whatever its size; what is broken is told with its line, and
nothing else is lost. Pure.

A quote that is never closed would swallow the rest of the file. So a record may not grow beyond MOST_CHARACTERS, and
when one turns out broken, only its first line is given up: reading goes on with the second.

Lines are taken many at a time and parsed in one go; only where something in them is broken are they read again with
care, record by record.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

MOST_COLUMNS = 200
MOST_CHARACTERS = 64 * 1024  # of a record
LONGEST_FIELD = 8 * 1024  # bytes
_SURELY_SHORT = LONGEST_FIELD // 4  # characters of a line in which no field can be too long


class BadHeader(ValueError):
    """The file cannot be read as a whole; the message says why."""


class Record(NamedTuple):
    """A row: as many cells as the header has names. `line`: where it begins, the header being line 1; `raw`: as it
    stands in the file."""

    line: int
    cells: list[str]
    raw: str


class BrokenLine(NamedTuple):
    """A line that is no row, or a row that cannot be imported; `reason` never repeats a value."""

    line: int
    reason: str
    raw: str = ""


class Cut(str):
    """A line of which only the beginning is kept, because it is too long; `lost`: bytes that were left out."""

    lost = 0


@dataclass(frozen=True)
class Dialect:
    """How cells stand in a line. `quote`: empty where quotes mean nothing."""

    delimiter: str = ","
    quote: str = '"'

    def rows(self, lines: Iterable[str]) -> Any:
        if self.quote:
            return csv.reader(lines, strict=True, delimiter=self.delimiter, quotechar=self.quote)
        return csv.reader(lines, strict=True, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)


class _Broken(Exception):
    """The record that begins on the current line cannot be read."""


class _Lines:
    """Physical lines, of which those of the current record can be taken back."""

    def __init__(self, lines: Iterable[str], number: int) -> None:
        self._source = iter(lines)
        self._again: deque[str] = deque()
        self._current: list[str] = []
        self._size = 0
        self.number = number  # of the last line that was finished with
        self.finished: list[str] = []  # lines that were finished with since this was last emptied

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self._current.append(line)
        self._size += len(line)
        if self._size > MOST_CHARACTERS:
            raise _Broken(
                f"a row of more than {MOST_CHARACTERS} characters"
                if len(self._current) == 1
                else "a quote is not closed"
            )
        return line

    def take(self, most: int) -> list[str]:
        """The next lines, as if they had never been looked at."""
        lines = [self._again.popleft() for _ in range(min(most, len(self._again)))]
        return lines + list(islice(self._source, most - len(lines)))

    def give_back(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))

    def finish_with(self, lines: list[str]) -> None:
        self.number += len(lines)
        self.finished += lines

    def finish(self) -> tuple[int, str]:
        """The record is done with: the number of its first line, and its text."""
        first, text = self.number + 1, "".join(self._current)
        self.finish_with(self._current)
        self._forget()
        return first, text

    def give_up_first(self) -> tuple[int, str]:
        """Only the first line of the record is done with; the others are read again. Its number and its text."""
        self._again.extendleft(reversed(self._current[1:]))
        text = self._current[0]
        self.finish_with(self._current[:1])
        self._forget()
        return self.number, text

    def _forget(self) -> None:
        self._current, self._size = [], 0


class Table:
    """The records of a file. `lines` keep their ends, and what could not be decoded comes as surrogates.

    `header` is read from the first lines, unless it is given: then `lines` begin after line number `line`. Raises
    BadHeader."""

    def __init__(
        self, lines: Iterable[str], dialect: Dialect, *, header: list[str] | None = None, line: int = 0
    ) -> None:
        self._lines = _Lines(lines, line)
        self._dialect = dialect
        self.header = header if header is not None else self._header()

    @property
    def line(self) -> int:
        """The number of the last line that was finished with."""
        return self._lines.number

    def finished(self) -> list[str]:
        """The lines that were finished with since this was last asked; the header's too."""
        lines, self._lines.finished = self._lines.finished, []
        return lines

    def batch(self, most: int) -> list[Record | BrokenLine] | None:
        """What stands in the next lines, about `most` of them, blank ones passed over; None at the end of the file."""
        lines = self._lines.take(most)
        if not lines:
            return None
        rows = self._at_once(lines)
        if rows is not None:
            self._lines.finish_with(lines)
            return rows
        self._lines.give_back(lines)
        return self._one_by_one(self._lines.number + len(lines))

    def _at_once(self, lines: list[str]) -> list[Record | BrokenLine] | None:
        """None where something takes more care than this."""
        width, first = len(self.header), self._lines.number + 1
        rows: list[Record | BrokenLine] = []
        reader = self._dialect.rows(lines)
        done = 0
        strange = max(map(len, lines)) > _SURELY_SHORT or not _is_plain(lines)
        try:
            for cells in reader:
                number = reader.line_num
                raw = lines[done] if number == done + 1 else "".join(lines[done:number])
                fault = ""
                if len(cells) != width or strange or len(raw) > _SURELY_SHORT:
                    fault = self._fault(cells, raw) if cells else ""
                    if (fault and number > done + 1) or len(raw) > MOST_CHARACTERS:
                        return None
                if fault:
                    rows.append(BrokenLine(first + done, fault, raw))
                elif cells:
                    rows.append(Record(first + done, cells, raw))
                done = number
        except csv.Error:
            return None
        return rows

    def _one_by_one(self, to_line: int) -> list[Record | BrokenLine]:
        rows: list[Record | BrokenLine] = []
        while self._lines.number < to_line:
            try:
                row = self._next_row()
                fault = self._fault(row, "") if row else ""
            except StopIteration:
                break
            except _Broken as broken:
                fault = str(broken)
            if fault:
                number, raw = self._lines.give_up_first()
                rows.append(BrokenLine(number, fault, raw))
                continue
            number, raw = self._lines.finish()
            if row:
                rows.append(Record(number, row, raw))
        return rows

    def _next_row(self) -> list[str]:
        try:
            row: list[str] = next(self._dialect.rows(self._lines))
        except csv.Error as error:
            raise _Broken("a quote is not closed, or something follows a closing one") from error
        return row

    def _fault(self, cells: list[str], raw: str) -> str:
        if len(cells) != len(self.header):
            return f"has {len(cells)} cells where the header has {len(self.header)}"
        for name, value in zip(self.header, cells, strict=True):
            if fault := text_fault(value):
                return f"{name}: {fault}"
        return ""

    def _header(self) -> list[str]:
        try:
            row = self._next_row()
        except StopIteration as error:
            raise BadHeader("the file has no header") from error
        except _Broken as error:
            raise BadHeader(f"the header cannot be read: {error}; {MOST_COLUMNS} columns are the most") from error
        names = [name.strip() for name in row]
        if len(names) > MOST_COLUMNS:
            raise BadHeader(f"the header names {len(names):,} columns; {MOST_COLUMNS} are the most")
        for name in names:
            if not name or text_fault(name) or len(name) > 100:
                raise BadHeader("every column needs a name of 1 to 100 characters in its first row")
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise BadHeader(f"the column {sorted(repeated)[0]!r} stands twice in the header")
        self._lines.finish()
        return names


def read(
    lines: Iterable[str], dialect: Dialect | None = None, *, check_header: Callable[[list[str]], None] = lambda _: None
) -> Iterator[Record | BrokenLine]:
    """All records and broken lines, in the order of the file. Raises BadHeader, as `check_header(names)` may."""
    table = Table(lines, dialect or Dialect())
    check_header(table.header)
    while (rows := table.batch(1000)) is not None:
        yield from rows


def _is_plain(lines: list[str]) -> bool:
    """Whether nothing in them can be a fault of text."""
    text = "".join(lines)
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_fault(text: str) -> str:
    if "\x00" in text:
        return "holds the character U+0000"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "holds bytes that are no text in this encoding"
    return f"is longer than {LONGEST_FIELD} bytes" if size > LONGEST_FIELD else ""
