"""How far a long piece of work is: a bar that moves on a terminal, plain lines where it is not one."""

from __future__ import annotations

import time
from typing import Protocol

WIDTH = 30


class Stream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Progress:
    """`show(done, total, text)` as often as wanted: it writes ten times a second to a terminal, else every
    `every` seconds. `end()` leaves the last state standing."""

    def __init__(self, stream: Stream, *, every: float = 5.0) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._every = 0.1 if self._terminal else every
        self._next = time.monotonic() + (0.0 if self._terminal else every)
        self._shown = False

    def show(self, done: int, total: int, text: str) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        share = min(done / total, 1.0) if total else 1.0
        if self._terminal:
            bar = "█" * round(share * WIDTH)
            self._stream.write(f"\r\x1b[2K{bar:░<{WIDTH}} {share:4.0%}  {text}")
            self._shown = True
        else:
            self._stream.write(f"{share:4.0%}  {text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Make room for a line of something else: the next `show` draws the bar again."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._shown = False
