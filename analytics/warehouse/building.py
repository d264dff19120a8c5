"""One run of the warehouse from beginning to end, in the process that was started for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from analytics.warehouse import dbt, environment, runs
from analytics.warehouse.processes import Running
from contacts import clock

SECONDS_BETWEEN_NOTES = 1.0
SECONDS_BETWEEN_SIGNS = 5.0  # of life
FAULTS_TOLD = 5

Say = Callable[[int, int, str], None]


class GivenUp(Exception):
    """Somebody ended the run, or took this process for dead."""


def work(run_id: int, *, say: Say) -> str:
    """Build, and write down what becomes of it; `say(done, total, text)` hears every word. Returns the problem, empty
    if there is none. Somebody else's run, or one that was given up, is left alone.

    Everything is made anew where that was asked for, and where other rules than those of today made what is there."""
    rules = dbt.rules()
    kind = runs.take(run_id, rules=rules, now=clock.now())
    if not kind:
        return "The run is somebody else's."
    run = _Run(run_id, say)
    try:
        problem = run.build(full_refresh=kind == "full_refresh" or runs.rules_changed(rules))
    except dbt.NoWarehouse as error:
        problem = str(error)
    except GivenUp:
        return "The run was given up."
    runs.end(run_id, now=clock.now(), problem=problem, results=run.results)
    return problem


class _Run:
    def __init__(self, run_id: int, say: Say) -> None:
        self.run_id, self.say = run_id, say
        self.results: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.done = self.total = 0
        self.next_note = 0.0

    def build(self, *, full_refresh: bool) -> str:
        making = environment.making()
        if making is not None and (problem := self._make(making)):
            return problem
        building = dbt.build(full_refresh=full_refresh)
        self._hear(building)
        if not building.code:
            self._hear(dbt.freshness())  # an old source is shown, and is no fault of the warehouse
            return ""
        return "; ".join(self.faults[:FAULTS_TOLD]) or f"dbt ended with code {building.code}."

    def _make(self, making: Running) -> str:
        last = ""
        for line in self._alive(making):
            last = line.strip() or last
            self.say(0, 0, last)
            self._note(last)
        return f"dbt could not be installed: {last}" if making.code else ""

    def _hear(self, running: Running) -> None:
        for line in self._alive(running):
            word = dbt.read(line)
            if word.fault:
                self.faults.append(word.fault)
            if word.node:
                self.results.append(
                    {
                        "kind": word.kind,
                        "model": word.node,
                        "state": word.state,
                        "rows": word.rows,
                        "seconds": word.seconds,
                    }
                )
            if word.kind != "source":
                self.total = max(self.total, word.total)
                self.done += bool(word.node)
            if word.text:
                self.say(self.done, self.total, word.text)
                self._note(word.text)

    def _alive(self, running: Running) -> Generator[str]:
        """Its lines; while there are none, a sign of life now and then."""
        for line in running.lines(every=SECONDS_BETWEEN_SIGNS):
            if line is None:
                self._note("", now=True)
            else:
                yield line

    def _note(self, said: str, *, now: bool = False) -> None:
        if not now and time.monotonic() < self.next_note:
            return
        self.next_note = time.monotonic() + SECONDS_BETWEEN_NOTES
        if not runs.note(self.run_id, now=clock.now(), said=said, done=self.done, total=self.total):
            raise GivenUp
