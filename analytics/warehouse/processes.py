"""Processes that take minutes: what they say line by line, and a word now and then while they say nothing."""

from __future__ import annotations

import ctypes
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PATIENCE_SECONDS = 15.0  # after it was asked to end


@dataclass
class Running:
    """Iterate over `lines`, then read `code`. Whoever stops iterating ends the process."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    code: int | None = None
    _said: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue, repr=False)

    def lines(self, *, every: float) -> Generator[str | None]:
        """What it says on either stream; None when it has said nothing for `every` seconds."""
        process = subprocess.Popen(  # noqa: S603  (our own arguments)
            self.command,
            env=dict(self.environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (nothing else runs in this process yet)
        )
        assert process.stdout is not None
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            while True:
                try:
                    line = self._said.get(timeout=every)
                except queue.Empty:
                    yield None
                    continue
                if line is None:
                    break
                yield line
        finally:
            self.code = _end(process)
            reader.join()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._said.put(line)
        self._said.put(None)


def _end(process: subprocess.Popen[str]) -> int:
    """Its exit code, once it has gone; it is asked to go, and then made to."""
    try:
        return process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _die_with_parent() -> None:
    """In the child: should this process be killed, nobody would watch over it any more."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
