"""Our renderer beside chevron-ng, which fills what is beyond ours, and beside three others of the kind: a mail of 20 kB
with 204 tags and a section of eight items, each tag another name, or the same three names again and again.

All must give the same bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import engine_peers, harness, mail
from tests.bench.child import Child
from tests.drills.rig import machine
from tests.drills.rig.processes import ROOT

PEERS = engine_peers.HERE / "renderers"
OURS, CHEVRON_NG = "carillon", "chevron_ng"
OTHERS = ("chevron", "combustache", "pystache")
KINDS = {"every tag another name": True, "three names again and again": False}
GOAL = 10.0
SLOWER = 10  # so many times fewer turns are enough for the others


@dataclass(frozen=True)
class Size:
    ours: int
    rounds: int


FULL, QUICK = Size(ours=20_000, rounds=5), Size(ours=2_000, rounds=2)


class RenderBench:
    def __init__(self, directory: Path, size: Size) -> None:
        self.directory, self.size = directory, size
        self._others = engine_peers.python(directory, PEERS / "requirements.txt")
        self._child: Child | None = None
        for kind, distinct in KINDS.items():
            work = {"source": mail.html(distinct=distinct), "data": mail.data(distinct=distinct)}
            self._work(kind).write_text(json.dumps(work))

    def contenders(self) -> list[harness.Contender]:
        return [
            harness.Contender(
                what(engine, kind),
                partial(self._prepare, engine, kind),
                partial(self._run, engine),
                partial(self._settle, engine, kind),
                self._pids,
                self._pids,
            )
            for kind in KINDS
            for engine in (OURS, CHEVRON_NG, *OTHERS)
        ]

    def _count(self, engine: str) -> int:
        return self.size.ours if engine == OURS else self.size.ours // SLOWER

    def _prepare(self, engine: str, kind: str) -> None:
        interpreter = str(self._others) if engine in OTHERS else sys.executable
        command = [interpreter, str(PEERS / "filling.py"), engine, str(self._count(engine)), str(self._work(kind))]
        env = {} if engine in OTHERS else {"PYTHONPATH": str(ROOT)}
        self._child = Child([*command, str(self._result(engine, kind))], env)

    def _run(self, engine: str) -> int:
        assert self._child is not None
        self._child.go()
        return self._count(engine)

    def _settle(self, engine: str, kind: str) -> None:
        self.stop()
        if self._result(engine, kind).read_bytes() != self._result(OURS, kind).read_bytes():
            raise AssertionError(f"{engine} and {OURS} disagree about the mail: {kind}")

    def _work(self, kind: str) -> Path:
        return self.directory / f"{kind}.json"

    def _result(self, engine: str, kind: str) -> Path:
        return self.directory / f"{kind}, {engine}.html"

    def _pids(self) -> Iterable[int]:
        return [self._child.pid] if self._child else []

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None


def what(engine: str, kind: str) -> str:
    return f"{engine.replace('_', '-')}, {kind}"


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    bench = RenderBench(directory, size)
    try:
        rounds = harness.interleave(bench.contenders(), size.rounds, say)
    finally:
        bench.stop()
    rows = {name: harness.median_row(name, turns) for name, turns in rounds.items()}
    claims = [
        harness.at_least(
            f"CPU of a mail: chevron-ng / ours, {kind}",
            harness.cpu_ratio(rows[what(OURS, kind)], rows[what(CHEVRON_NG, kind)]),
            GOAL,
        )
        for kind in KINDS
    ]
    return harness.Result(machine=machine.describe(), rows=list(rows.values()), claims=claims, rounds=rounds)
