"""Segments of a million people, kept from what changes, beside a full rebuild after each batch of changes.

Ours runs as it does in production: real workers answering doorbells, beat and housekeeping. The peer gets the same
changes and then computes all segments anew, with queries written by hand. Both must come to the same membership, and
the full recomputation of the product must find nothing wrong. All costs count: processes, PostgreSQL, Redis."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import audience, harness, journey, turn
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.processes import Crew
from tests.drills.rig.servers import Servers

DATABASE = "bench_segments"
OURS, PEER = "kept from what changes", "all segments rebuilt after the batch"
GOAL_CPU, GOAL_LATENCY, GOAL_TIME = 2.0, 1.0, 900.0
FILLED = "SELECT count(*) = 0 FROM segments WHERE state <> 'live'"
QUIET = "SELECT count(*) = 0 FROM segment_checks"


@dataclass(frozen=True)
class Size:
    people: int
    changes: int  # events a round
    latencies: int
    rounds: int


FULL = Size(people=1_000_000, changes=5_000, latencies=300, rounds=3)
QUICK = Size(people=50_000, changes=2_000, latencies=50, rounds=2)


class SegmentsBench:
    def __init__(self, servers: Servers, directory: Path, size: Size, say: Callable[[str], None]) -> None:
        self.servers, self.directory, self.size, self.say = servers, directory, size, say
        self.env = stage.product_env(servers, DATABASE, directory)
        self._crew: Crew | None = None
        self._children: list[subprocess.Popen[str]] = []
        self._round = 0

    def furnish(self) -> None:
        """People, their past, and the segments, filled by the workers."""
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        with self._database() as database:
            database.execute(journey.CONTACTS, [self.size.people])
            database.execute(audience.TAGS.replace("%%", "%"))
            database.execute(audience.EVENTS, {"people": self.size.people})
            database.execute("VACUUM ANALYZE")
        self.start()
        started = time.monotonic()
        self.deed("make", 0)
        self.wait(FILLED, patience=1800)
        self.say(f"filled in {time.monotonic() - started:,.0f} s: {self.members():,} memberships")
        with self._database() as database:
            database.execute("VACUUM ANALYZE segment_members, contacts, segment_checks")

    def contenders(self) -> list[harness.Contender]:
        return [
            harness.Contender(OURS, self._prepare_ours, self._run_ours, self._settle_ours, self._roots, self._workers),
            harness.Contender(PEER, self._prepare_peer, self._run_peer, self._settle_peer, self._roots, self._workers),
        ]

    # -- ours ----------------------------------------------------------------------------------------------------------
    def _prepare_ours(self) -> None:
        self._round += 1
        self.start()
        self.wait(QUIET)
        self.begin("events", self.size.changes)

    def _run_ours(self) -> int:
        self.go()
        self.wait(QUIET)
        return self.size.changes

    def _settle_ours(self) -> None:
        self.agree()

    # -- the peer ------------------------------------------------------------------------------------------------------
    def _prepare_peer(self) -> None:
        self._round += 1
        self.stop()
        self.begin("unheard", self.size.changes, env={"DATABASE_OWNER_SESSION": "1"})

    def _run_peer(self) -> int:
        self.go()
        return self.size.changes

    def _settle_peer(self) -> None:
        """What the peer's own reading came to, ours must come to as well."""
        self.agree()

    # -- the promises --------------------------------------------------------------------------------------------------
    def latencies(self) -> list[float]:
        """Of single events while a bulk load runs beside them."""
        self.start()
        self._round += 1
        self.begin("events", self.size.changes)
        self.begin("latency", self.size.latencies)
        bulk, single = self._children
        _shoot(bulk)
        _shoot(single)
        seconds = _hear(single)
        _hear(bulk)
        self.end()
        self.wait(QUIET)
        return seconds

    def look(self) -> float:
        """Seconds from the moment when a look at everybody is due until what it found is written."""
        self.start()
        self.wait(QUIET)
        with self._database() as database:
            database.execute("UPDATE segments SET swept_at = now() - interval '6 minutes' WHERE moves_with_time")
        started = time.monotonic()
        self.wait(
            "SELECT count(*) = 0 FROM segments WHERE moves_with_time "
            "AND (swept_to > 0 OR swept_at < now() - interval '5 minutes')",
            patience=900,
        )
        self.wait(QUIET)
        return time.monotonic() - started

    def agree(self) -> None:
        """Raises where the full recomputation finds a wrong membership."""
        self.end()
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "rebuild_segments", "--check", timeout=900)

    # -- how -----------------------------------------------------------------------------------------------------------
    def start(self) -> None:
        if self._crew is None:
            programs = [
                *(processes.worker(lane) for lane in ("urgent", "bulk", "housekeeping")),
                processes.beat(),
            ]
            self._crew = Crew(programs, self.env, self.directory / "logs")
            self._crew.start()

    def stop(self) -> None:
        self.end()
        if self._crew is not None:
            self._crew.stop()
            self._crew = None

    def begin(self, deed: str, count: int, env: dict[str, str] | None = None) -> None:
        arguments = [deed, str(self._round), str(count), str(self.size.people)]
        child = subprocess.Popen(
            [processes.PYTHON, "-m", "tests.bench.segments_turn", *arguments],
            cwd=processes.ROOT,
            env=self.env | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        _hear(child, turn.READY)

    def go(self) -> Any:
        (child,) = self._children
        _shoot(child)
        return _hear(child)

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()
        self._children = []

    def deed(self, deed: str, count: int) -> None:
        self.begin(deed, count)
        self.go()
        self.end()

    def wait(self, question: str, patience: float = 600) -> None:
        """Until it is true; asks seldom, for the asking is counted too."""
        deadline = time.monotonic() + patience
        with self._database() as database:
            while not (row := database.execute(question).fetchone()) or not row[0]:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not within {patience:.0f} s: {question}")
                time.sleep(0.05)

    def members(self) -> int:
        with self._database() as database:
            row = database.execute("SELECT count(*) FROM segment_members").fetchone()
            assert row is not None
            return int(row[0])

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        crew = self._crew.pids() if self._crew is not None else []
        return [*crew, *(child.pid for child in self._children)]

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)


def _shoot(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    print(turn.GO, file=child.stdin, flush=True)


def _hear(child: subprocess.Popen[str], word: str = turn.DONE) -> Any:
    """What it printed before the word."""
    assert child.stdout is not None
    said = ""
    for line in child.stdout:
        if line.strip() == word:
            return json.loads(said) if said else None
        said = line
    raise AssertionError(f"a turn ended before it was {word}")


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = SegmentsBench(servers, directory, size, say)
        try:
            bench.furnish()
            seconds = sorted(bench.latencies())
            say(f"an event to a membership: median {1000 * statistics.median(seconds):.0f} ms")
            look = bench.look()
            say(f"one look at {size.people:,} people for what time moved: {look:,.1f} s")
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    claims = [
        harness.at_most(
            "seconds from an event to its memberships, p99", seconds[int(0.99 * len(seconds))], GOAL_LATENCY
        ),
        harness.at_most("seconds until time alone has moved them: five minutes and one look", 300 + look, GOAL_TIME),
        harness.at_least("CPU of a change: full rebuild / ours", harness.cpu_ratio(rows[OURS], rows[PEER]), GOAL_CPU),
    ]
    return harness.Result(machine=ground, rows=list(rows.values()), claims=claims, rounds=rounds)
