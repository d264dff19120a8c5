"""A CSV file as records, read in one pass whatever its size; what is broken is told with its line, and nothing else
is lost. Pure.

A quote that is never closed would swallow the rest of the file. So a record may not grow beyond MOST_CHARACTERS, and
when one turns out broken, only its first line is given up: reading goes on with the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

MOST_COLUMNS = 200
MOST_CHARACTERS = 64 * 1024  # of a record
LONGEST_FIELD = 8 * 1024  # bytes


class BadHeader(ValueError):
    """The file cannot be read as a whole; the message says why."""


@dataclass(frozen=True)
class Record:
    """A row by column name; empty cells are left out. `line`: where it begins, the header being line 1."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True)
class BrokenLine:
    line: int
    reason: str


class _Broken(Exception):
    """The record that begins on the current line cannot be read."""


class _Lines:
    """Physical lines, of which those of the current record can be taken back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._source = iter(lines)
        self._again: deque[str] = deque()
        self._current: list[str] = []
        self._size = 0
        self.number = 0  # of the last line that was finished with

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

    def finish(self) -> int:
        """The record is done with; the number of its first line."""
        first = self.number + 1
        self.number += len(self._current)
        self._forget()
        return first

    def give_up_first(self) -> int:
        """Only the first line of the record is done with; the others are read again. Its number."""
        self._again.extendleft(reversed(self._current[1:]))
        self.number += 1
        self._forget()
        return self.number

    def _forget(self) -> None:
        self._current, self._size = [], 0


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a file opened with newline="" and errors="surrogateescape". Of a line without end only as much is
    kept as shows that it is too long."""
    while line := file.readline(MOST_CHARACTERS + 1):
        rest = line
        while len(rest) > MOST_CHARACTERS and not rest.endswith(("\r", "\n")):
            rest = file.readline(MOST_CHARACTERS + 1)
        yield line


def read(
    lines: Iterable[str], *, check_header: Callable[[list[str]], None] = lambda _: None
) -> Iterator[Record | BrokenLine]:
    """Records and broken lines in the order of the file; `lines` keep their line ends. Blank lines are passed over.

    Bytes that are not UTF-8 must come as surrogates. Raises BadHeader, as `check_header(names)` may."""
    source = _Lines(lines)
    try:
        header = _header(_next_row(source))
    except (StopIteration, _Broken) as error:
        raise BadHeader("the file has no header") from error
    check_header(header)
    source.finish()
    while True:
        try:
            row = _next_row(source)
            fault = _fault(row, header) if row else ""
        except StopIteration:
            return
        except _Broken as broken:
            fault = str(broken)
        if fault:
            yield BrokenLine(source.give_up_first(), fault)
            continue
        line = source.finish()
        if row:
            yield Record(line, {name: value for name, value in zip(header, row, strict=True) if value.strip()})


def _next_row(source: _Lines) -> list[str]:
    try:
        return next(csv.reader(source, strict=True))
    except csv.Error as error:
        raise _Broken("a quote is not closed, or something follows a closing one") from error


def _header(row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    if len(names) > MOST_COLUMNS:
        raise BadHeader(f"the header names {len(names)} columns; {MOST_COLUMNS} are the most")
    for name in names:
        if not name or _text_fault(name) or len(name) > 100:
            raise BadHeader("every column needs a name of 1 to 100 characters in its first row")
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise BadHeader(f"the column {sorted(repeated)[0]!r} stands twice in the header")
    return names


def _fault(row: list[str], header: list[str]) -> str:
    if len(row) != len(header):
        return f"has {len(row)} cells where the header has {len(header)}"
    for name, value in zip(header, row, strict=True):
        if fault := _text_fault(value):
            return f"{name}: {fault}"
    return ""


def _text_fault(text: str) -> str:
    if "\x00" in text:
        return "holds the character U+0000"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    return f"is longer than {LONGEST_FIELD} bytes" if size > LONGEST_FIELD else ""
