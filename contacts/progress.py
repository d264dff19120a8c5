"""How far a long piece of work is: a bar that moves on a terminal, plain lines where it is not one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

WIDTH = 30


class Stream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


def _bare(stream: Stream) -> Stream:
    """A command's standard error ends every piece with a new line: a bar would run down the screen."""
    return getattr(stream, "_out", stream)


class Progress:
    """`show(done, total, text)` as often as wanted: it writes ten times a second to a terminal, else every
    `every` seconds. `end()` leaves the last state standing."""

    def __init__(self, stream: Stream, *, every: float = 5.0) -> None:
        stream = self._stream = _bare(stream)
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


@contextmanager
def elapsing(stream: Stream, text: str, *, every: float = 5.0) -> Iterator[None]:
    """For work that is one statement, of which nobody knows how far it is: says what is done, and for how long by now,
    every second on a terminal, else every `every` seconds. Nothing, if it is over sooner."""
    over, stream = threading.Event(), _bare(stream)
    terminal = stream.isatty()

    def tell() -> None:
        began = time.monotonic()
        while not over.wait(1.0 if terminal else every):
            line = f"{text}: {time.monotonic() - began:.0f} s"
            stream.write(f"\r\x1b[2K{line}" if terminal else f"{line}\n")
            stream.flush()
        if terminal:
            stream.write("\r\x1b[2K")
            stream.flush()

    teller = threading.Thread(target=tell, name="elapsing", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
