"""A contender in a process of its own, that begins when it is told to: see `turn`."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from tests.bench import turn
from tests.drills.rig import processes


class Child:
    """`ready` once it was made; `go` returns when its turn is over; it stays until it is stopped, so that its cost can
    be read."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command), cwd=processes.ROOT, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._hear(turn.READY)

    @property
    def pid(self) -> int:
        return self._process.pid

    def go(self) -> None:
        assert self._process.stdin is not None
        print(turn.GO, file=self._process.stdin, flush=True)
        self._hear(turn.DONE)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _hear(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"the contender ended before it was {word}")
