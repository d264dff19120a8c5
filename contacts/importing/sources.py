"""Where the bytes of a file lie, to be read from any place on: on disk for a command, in `import_chunks` for an upload,
compressed and readable by every worker."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.db import connection

from contacts.importing.reading import BLOCK
from contacts.importing.sniffing import Survey, Surveyed

CHUNK = 1024 * 1024
LARGEST = 4 * 1024**3  # bytes; far beyond what anybody exports, and it still ends
FORGOTTEN_AT_ONCE = 50


class TooLarge(ValueError):
    """The file has more than LARGEST bytes."""


class Source(Protocol):
    def blocks(self, start: int) -> Iterator[bytes]:
        """The bytes from `start` on."""
        ...


@dataclass(frozen=True)
class FileSource:
    path: Path

    def blocks(self, start: int) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(start)
            while block := file.read(BLOCK):
                yield block


@dataclass(frozen=True)
class StoredSource:
    """The chunks of one run: read one at a time, so that memory holds one of them."""

    run_id: int

    def blocks(self, start: int) -> Iterator[bytes]:
        place = start
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT start, content FROM import_chunks WHERE run_id = %s AND start <= %s "
                    "ORDER BY start DESC LIMIT 1",
                    [self.run_id, place],
                )
                row = cursor.fetchone()
            content = zlib.decompress(bytes(row[1]))[place - row[0] :] if row else b""
            if not content:
                return
            place += len(content)
            for position in range(0, len(content), BLOCK):
                yield content[position : position + BLOCK]


def survey(path: Path) -> Surveyed:
    """Reads the file once. Raises OSError and BadHeader."""
    found = Survey()
    for block in FileSource(path).blocks(0):
        found.feed(block)
    return found.result()


def keep(run_id: int, pieces: Iterable[bytes]) -> Surveyed:
    """Store an upload in chunks, in the caller's transaction. Raises TooLarge and BadHeader."""
    found, start, rest = Survey(), 0, b""
    for piece in pieces:
        found.feed(piece)
        rest += piece
        while len(rest) >= CHUNK:
            _insert(run_id, start, rest[:CHUNK])
            start, rest = start + CHUNK, rest[CHUNK:]
        if start > LARGEST:
            raise TooLarge(f"the file has more than {LARGEST:,} bytes")
    if rest:
        _insert(run_id, start, rest)
    return found.result()


def forget(run_id: int) -> bool:
    """Delete some of the chunks of a run; whether there were any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM import_chunks WHERE id IN (SELECT id FROM import_chunks WHERE run_id = %s LIMIT %s)",
            [run_id, FORGOTTEN_AT_ONCE],
        )
        return bool(cursor.rowcount)


def _insert(run_id: int, start: int, content: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO import_chunks (run_id, start, content) VALUES (%s, %s, %s)",
            [run_id, start, zlib.compress(content, 1)],
        )
