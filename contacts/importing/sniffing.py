"""What kind of file this is: its encoding and how its cells stand in a line, guessed and always shown. Pure.

The encoding is judged on all bytes (the first umlaut may stand in the last row), the delimiter on the first lines."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from contacts.importing import reading
from contacts.importing.csv_rows import BadHeader, Dialect

SAMPLE = 64 * 1024
LINES = 50
DELIMITERS = (",", ";", "\t", "|")
QUOTES = ('"', "'", "")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive or a workbook", b"\xd0\xcf\x11\xe0": "a workbook"}
# A byte beyond ASCII beside an ASCII letter is a name in a code page of one byte a character; alone, it is damage
_IN_A_WORD = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")


@dataclass(frozen=True)
class Format:
    """`encoding` is one of reading.CODECS; `quote` empty: quotes mean nothing."""

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.delimiter, self.quote)

    def as_json(self) -> dict[str, str]:
        return {"encoding": self.encoding, "delimiter": self.delimiter, "quote": self.quote}


def format_of(raw: Mapping[str, Any]) -> Format:
    """Raises ValueError: the sentence says what is wrong."""
    found = Format(**{name: str(raw[name]) for name in ("encoding", "delimiter", "quote") if raw.get(name) is not None})
    if found.encoding not in reading.CODECS:
        raise ValueError(f"the encoding must be one of {', '.join(reading.CODECS)}")
    if len(found.delimiter) != 1 or found.delimiter in '"\r\n\x00 ' or found.delimiter == found.quote:
        raise ValueError("the delimiter must be one character, and neither a quote, a space nor a line end")
    if found.quote not in QUOTES:
        raise ValueError("the quote must be \", ' or nothing")
    return found


@dataclass(frozen=True)
class Surveyed:
    """`digest`: SHA-256 of the whole; `note`: what a person should know about the guess, or empty."""

    size: int
    digest: bytes
    format: Format
    note: str = ""


class Survey:
    """`feed` it the file once, block by block; `result()` says what it is. Raises BadHeader for what is no text."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0
        self._sample = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._beyond_ascii = False  # valid UTF-8 that is more than ASCII was seen
        self._broken = self._in_words = False

    def feed(self, block: bytes) -> None:
        if not self._size:
            refuse_compressed(block)
        self._hash.update(block)
        self._size += len(block)
        if len(self._sample) < SAMPLE:
            self._sample += block[: SAMPLE - len(self._sample)]
        if self._broken:
            return
        try:
            text = self._utf8.decode(block)
            self._beyond_ascii = self._beyond_ascii or not text.isascii()
        except UnicodeDecodeError:
            self._broken = True
            self._beyond_ascii = self._beyond_ascii or not block.decode("utf-8", "ignore").isascii()
            self._in_words = _IN_A_WORD.search(block) is not None

    def result(self) -> Surveyed:
        encoding = _utf_16(self._sample) or "utf-8"
        note = ""
        if encoding == "utf-8" and self._broken and self._in_words and not self._beyond_ascii:
            encoding, note = "cp1252", "The file is not UTF-8; it is read as Windows-1252."
        return Surveyed(self._size, self._hash.digest(), sniff(self._sample, encoding), note)


def refuse_compressed(beginning: bytes) -> None:
    """A plain file cannot be a bomb. Raises BadHeader."""
    for magic, what in _COMPRESSED.items():
        if beginning.startswith(magic):
            raise BadHeader(f"this is {what}; save it as CSV (plain text) first")


def sniff(sample: bytes, encoding: str) -> Format:
    """How cells stand in the first lines, in this encoding."""
    text = _decoded(sample, encoding)
    quote = _quote(text)
    best, best_score = Format(encoding, ",", quote), (0.0, 0)
    for delimiter in DELIMITERS:
        candidate = replace(best, delimiter=delimiter)
        score = _score(text, candidate.dialect)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _utf_16(sample: bytes) -> str:
    for encoding in ("utf-16-le", "utf-16-be"):
        if sample.startswith(reading.MARKS[encoding]):
            return encoding
    # Without a mark: text that is mostly Latin has a zero in every other byte
    even, odd = sample[0:2000:2], sample[1:2000:2]
    if len(odd) >= 8:
        if odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
            return "utf-16-le"
        if even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
            return "utf-16-be"
    return ""


def _decoded(sample: bytes, encoding: str) -> str:
    sample = sample[reading.mark_size(encoding, sample) :]
    return "".join(reading.lines([sample], encoding))


def _quote(text: str) -> str:
    if '"' in text:
        return '"'
    first = text.partition("\n")[0].strip()
    return "'" if len(first) > 2 and first[0] == first[-1] == "'" else '"'


def _score(text: str, dialect: Dialect) -> tuple[float, int]:
    """How much of the sample agrees with its own header on the number of cells, and how many cells; nothing where the
    delimiter does not occur."""
    lines = io.StringIO(text, newline="").readlines()[: LINES + 1]
    if len(text) >= SAMPLE // 4 and len(lines) > 1:
        lines.pop()  # it may have been cut
    rows: list[list[str]] = []
    try:
        rows += (row for row in dialect.rows(lines) if row)
    except csv.Error:
        rows = [row for line in lines for row in _alone(line, dialect)]
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    agreeing = sum(len(row) == len(rows[0]) for row in rows)
    return round(agreeing / len(rows), 1), len(rows[0])


def _alone(line: str, dialect: Dialect) -> list[list[str]]:
    try:
        return [row for row in dialect.rows([line]) if row]
    except csv.Error:
        return []
