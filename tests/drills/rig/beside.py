"""Drills of the smoke form side by side: half of a drill is waiting, for a fault to be mended or for a lease to pass.
Each is at a place of its own, with servers of its own, on which it follows the one before. At full size, where figures
are promised, a drill is alone."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.drills.rig.processes import spawn

END_SECONDS = 60.0  # for a place to stop its servers


class Place:
    """A process that performs one drill after another: what it is told on its input, and says on its output when each
    is over (`tests/drills/__main__.py`). `name`: which one it is at, if any."""

    def __init__(self, number: int, options: Iterable[str], output: Path) -> None:
        self.name = ""
        self._into = output / f"place-{number}"
        self._into.mkdir(parents=True, exist_ok=True)
        self._words = self._into / "place.txt"
        with self._words.open("wb") as said:
            command = [sys.executable, "-m", "tests.drills", "--as-told", "--into", str(self._into), *options]
            self._child = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        assert self._child.stdin is not None and self._child.stdout is not None
        self._tell, self._hear = self._child.stdin, self._child.stdout

    def fileno(self) -> int:
        """Readable when a drill is over, or when the process is."""
        return self._hear.fileno()

    def begin(self, name: str) -> None:
        self.name = name
        self._figures.unlink(missing_ok=True)
        self._told.unlink(missing_ok=True)
        with contextlib.suppress(BrokenPipeError):  # `collect` says what came of it
            self._tell.write(f"{name}\n".encode())
            self._tell.flush()

    def collect(self, output: Path) -> None:
        """Print what was said, and move the figures. Raises RuntimeError if it broke off."""
        is_over = self._hear.readline().decode().strip() == self.name
        if self._told.exists():
            print(self._told.read_text(encoding="utf-8"), flush=True)
        if not (is_over and self._figures.exists()):
            self._child.kill()
            code = self._child.wait()
            print(self._words.read_text(encoding="utf-8"), flush=True)
            raise RuntimeError(f"{self.name} broke off with {code}; what it said stands above")
        self._figures.replace(output / self._figures.name)
        self.name = ""

    def close(self) -> None:
        """Nothing is left to do."""
        self._tell.close()
        self._child.wait(END_SECONDS)

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    @property
    def _figures(self) -> Path:
        return self._into / f"{self.name}.json"

    @property
    def _told(self) -> Path:
        return self._into / f"{self.name}.txt"


def perform(
    names: Iterable[str],
    *,
    at_once: int,
    options: Iterable[str],
    output: Path,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """The reports of these drills, in their order; up to `at_once` are under way. `options` go to each. What each says
    is printed when it has ended, and its figures are moved to `output`. Raises RuntimeError where a drill broke off,
    with its name: the others are then not waited for."""
    order = tuple(names)
    left, places = list(order), list[Place]()
    try:
        places += [Place(number, options, output) for number in range(1, min(at_once, len(order)) + 1)]
        while left or any(place.name for place in places):
            for place in places:
                if left and not place.name:
                    place.begin(left.pop(0))
                    say(f"{place.name}: begins")
            for place in select.select([place for place in places if place.name], [], [])[0]:
                place.collect(output)
        for place in places:
            place.close()
    finally:
        for place in places:
            place.kill()
    return [json.loads((output / f"{name}.json").read_text(encoding="utf-8")) for name in order]
