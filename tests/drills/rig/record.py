"""Append-only records, one JSON object a line, and what the stub ESP's record holds."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class Journal:
    """Lines that survive a kill: each is one unbuffered write to a file opened for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, row: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(row, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line; a last one that was cut off by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines[:-1] if line]


@dataclass(frozen=True)
class Request:
    """A request that the stub ESP received, in CLOCK_MONOTONIC seconds.

    It arrived after `after` and no later than `by`: a busy stub sees a request some time after the machine did, and a
    drill must accuse nobody on the strength of the stub's own slowness."""

    after: float
    by: float
    mid: str
    to: str
    verdict: str
    taken: bool

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


def read_requests(path: Path) -> list[Request]:
    return [Request(**row) for row in read_lines(path)]
