"""Drills of the smoke form side by side, each a process of its own with servers of its own: half of a drill is waiting,
for a fault to be mended or for a lease to pass. At full size, where figures are promised, a drill is alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drills.rig.processes import spawn


@dataclass(frozen=True)
class Running:
    name: str
    place: int
    child: subprocess.Popen[bytes]
    into: Path

    def told(self) -> str:
        return (self.into / f"{self.name}.txt").read_text(encoding="utf-8")


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
    left = list(names)
    order = tuple(left)
    places = list(range(1, at_once + 1))
    running: list[Running] = []
    try:
        while left or running:
            while left and places:
                running.append(_begin(left.pop(0), places.pop(0), options, output))
                say(f"{running[-1].name}: begins")
            time.sleep(0.2)
            for ended in [each for each in running if each.child.poll() is not None]:
                running.remove(ended)
                places.append(ended.place)
                print(ended.told(), flush=True)
                _collect(ended, output)
    finally:
        for each in running:
            each.child.kill()
            each.child.wait()
    return [json.loads((output / f"{name}.json").read_text(encoding="utf-8")) for name in order]


def _begin(name: str, place: int, options: Iterable[str], output: Path) -> Running:
    into = output / f"place-{place}"
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{name}.json").unlink(missing_ok=True)
    with (into / f"{name}.txt").open("wb") as said:
        command = [sys.executable, "-m", "tests.drills", name, "--into", str(into), *options]
        child = spawn(command, stdout=said, stderr=subprocess.STDOUT)
    return Running(name, place, child, into)


def _collect(ended: Running, output: Path) -> None:
    figures = ended.into / f"{ended.name}.json"
    if not figures.exists():
        raise RuntimeError(f"{ended.name} broke off with {ended.child.returncode}; what it said stands above")
    figures.replace(output / figures.name)
