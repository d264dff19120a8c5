"""The world outside PostgreSQL: Redis, the broker, other people's servers. A process that simulates closes it: then
doorbells are noted here, to be answered by whoever simulates, and every connection is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis


class OutsideIsClosed(redis.ConnectionError, OSError):
    """A simulation reaches nobody. Whoever can do without Redis does."""


@dataclass
class Noted:
    """What happened while the outside was closed: bells as (task, lane), and how many batches found work."""

    bells: set[tuple[str, str]] = field(default_factory=set)
    batches: int = 0


_closed: list[Noted] = []
_guarded: list[bool] = []


@contextmanager
def closed() -> Iterator[Noted]:
    """Close it for this whole process, for the time of the block."""
    assert not _closed, "one simulation at a time"
    if not _guarded:  # an audit hook cannot be taken away again
        sys.addaudithook(_refuse)
        _guarded.append(True)
    noted = Noted()
    _closed.append(noted)
    try:
        yield noted
    finally:
        _closed.remove(noted)


def is_closed() -> bool:
    return bool(_closed)


def check_open() -> None:
    """Raises OutsideIsClosed while it is."""
    if _closed:
        raise OutsideIsClosed("a simulation reaches nobody outside PostgreSQL")


def note_bell(task: str, lane: str) -> None:
    _closed[-1].bells.add((task, lane))


def work_off(work: Callable[[], bool]) -> None:
    """One batch after another until there is none: nobody else waits for the process."""
    while work():
        _closed[-1].batches += 1


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        check_open()
