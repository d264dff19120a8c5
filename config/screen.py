"""What a person sees of a start: a line for each phase with the seconds that it took, and one block at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TextIO


class Screen:
    """Progress goes to stderr, what was asked for to stdout; colours only where a terminal shows them."""

    def __init__(self, progress: TextIO | None = None, result: TextIO | None = None) -> None:
        self._progress = progress or sys.stderr
        self._result = result or sys.stdout
        self._started = self._phase_started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def phase(self, name: str, text: str) -> None:
        """A phase that has just ended."""
        took, self._phase_started = time.monotonic() - self._phase_started, time.monotonic()
        self._write(self._progress, f"  {name:<12}{text:<48}{took:6.1f} s")

    def say(self, text: str) -> None:
        """Something that happened."""
        self._write(self._progress, f"  {time.strftime('%H:%M:%S')}  {text}")

    def fail(self, text: str) -> None:
        """Why it ends."""
        self._write(self._progress, self._style(self._progress, "1", text))

    def block(self, title: str, rows: Sequence[tuple[str, str]], closing: str) -> None:
        """The result: where everything is."""
        width = max(len(name) for name, _ in rows) + 3
        lines = ["", f"  {self._style(self._result, '1;32', title)}", ""]
        lines += [f"  {self._style(self._result, '2', name.ljust(width))}{value}" for name, value in rows]
        self._write(self._result, "\n".join([*lines, "", f"  {closing}", ""]))

    def _style(self, stream: TextIO, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if stream.isatty() else text

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(f"{text}\n")
            stream.flush()
        except BrokenPipeError:  # `bin/up | head`: whoever listened has left, the installation runs on
            pass
