"""Scores of a million contacts with ten million events and eight rules: one contact, five hundred, and the first 100 of
everybody, beside the plain join over a table of rules, and beside DuckDB with the same rows in its memory.

The peers must come to the same people and scores. They are written as one would write them: they ask for consent, for
people behind opens and clicks, and for the form; they group by contact and rule, since one rule has a cap. Ours is
computed from the events, too: nothing is stored of a score."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import engine_peers, harness, scoring_data
from tests.bench.child import Child
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.servers import Servers

DATABASE = "bench_scoring"
OURS, JOIN, DUCKDB = "first 100 of everybody", "first 100 by the plain join", "first 100 by DuckDB, rows in memory"
ONE, MANY = "one", "many"
GOAL_ONE_MS, GOAL_JOIN = 2.0, 4.0
PEERS = engine_peers.HERE / "duckdb"


@dataclass(frozen=True)
class Size:
    people: int
    ones: int
    manies: int
    rounds: int


FULL = Size(people=1_000_000, ones=1_000, manies=20, rounds=3)
QUICK = Size(people=100_000, ones=200, manies=5, rounds=2)


class ScoringBench:
    def __init__(self, servers: Servers, directory: Path, size: Size, say: Callable[[str], None]) -> None:
        self.servers, self.directory, self.size, self.say = servers, directory, size, say
        self.env = stage.product_env(servers, DATABASE, directory)
        self._duckdb = engine_peers.python(directory, PEERS / "requirements.txt")
        self._result = directory / "result.json"
        self._events, self._people = directory / "events.csv", directory / "people.csv"
        self._child: Child | None = None
        self._first: list[tuple[int, float]] = []

    def furnish(self) -> None:
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        started = time.monotonic()
        with self._database() as database:
            scoring_data.fill(database, self.size.people)
            scoring_data.write_rules(database)
            for path, copy in (
                (self._events, scoring_data.EVENTS_FOR_DUCKDB),
                (self._people, scoring_data.PEOPLE_FOR_DUCKDB),
            ):
                with database.cursor().copy(copy) as rows, path.open("wb") as out:
                    for chunk in rows:
                        out.write(chunk)
        self.say(f"{self.size.people:,} people and what they did in {time.monotonic() - started:,.0f} s")
        self._take(self._turn("rules"))

    def contenders(self) -> list[harness.Contender]:
        at = str(scoring_data.NOW.timestamp())
        duckdb = [str(self._duckdb), str(PEERS / "adding_up.py"), str(self._events), str(self._people), at]
        return [
            self._contender(OURS, self._turn("top")),
            self._contender(JOIN, self._turn("join")),
            self._contender(DUCKDB, [*duckdb, str(self._result)]),
        ]

    def milliseconds(self, deed: str, count: int) -> list[float]:
        """Of each statement, sorted."""
        return sorted(self._take([*self._turn(deed), str(count)]))

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None

    def clear(self) -> None:
        for path in (self._events, self._people, self._result):
            path.unlink(missing_ok=True)

    def _contender(self, what: str, command: list[str]) -> harness.Contender:
        def prepare() -> None:
            self._result.unlink(missing_ok=True)
            self._child = Child(command, self.env)

        def run() -> int:
            assert self._child is not None
            self._child.go()
            return 1

        return harness.Contender(what, prepare, run, lambda: self._settle(what), self._roots, self._workers)

    def _settle(self, what: str) -> None:
        """Speed means nothing beside another answer."""
        found = [(int(contact), float(score)) for contact, score in self._answer()]
        self.stop()
        self._first = self._first or found
        for (contact, score), (expected, known) in zip(found, self._first, strict=True):
            if contact != expected or abs(score - known) > 1e-6:
                raise AssertionError(f"{what} has {contact} with {score} where {expected} with {known} was found")

    def _take(self, command: list[str]) -> Any:
        self._child = Child(command, self.env)
        self._child.go()
        answer = self._answer()
        self.stop()
        return answer

    def _answer(self) -> Any:
        """DuckDB writes it when its turn is over."""
        for _ in range(100):
            if self._result.exists() and (text := self._result.read_text()):
                return json.loads(text)
            time.sleep(0.05)
        raise AssertionError("a turn left no answer")

    def _turn(self, deed: str) -> list[str]:
        return [str(processes.PYTHON), "-m", "tests.bench.scoring_turn", deed, str(self._result)]

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        return [self._child.pid] if self._child else []

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = ScoringBench(servers, directory, size, say)
        try:
            bench.furnish()
            ones = bench.milliseconds(ONE, size.ones)
            manies = bench.milliseconds(MANY, size.manies)
            say(f"one contact: median {statistics.median(ones):.2f} ms; 500: {statistics.median(manies):.1f} ms")
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
            bench.clear()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    one, cpu = statistics.median(ones), harness.cpu_ratio(rows[OURS], rows[JOIN])
    claims = [
        harness.Claim("ms of one contact, planned and run, p50", round(one, 3), GOAL_ONE_MS, one < GOAL_ONE_MS),
        harness.at_least("CPU of the first 100: plain join / ours", cpu, GOAL_JOIN),
        harness.at_least("time of the first 100: plain join / ours", _slower(rounds[OURS], rounds[JOIN]), GOAL_JOIN),
    ]
    taken = [_of_statements("one contact", ones), _of_statements("500 contacts in one statement", manies)]
    return harness.Result(machine=ground, rows=[*taken, *rows.values()], claims=claims, rounds=rounds)


def _slower(ours: list[harness.Round], theirs: list[harness.Round]) -> float:
    return statistics.median(their.seconds / our.seconds for our, their in zip(ours, theirs, strict=True))


def _of_statements(what: str, milliseconds: list[float]) -> harness.Row:
    """How many a second one connection does; their processor time is not taken apart."""
    return harness.Row(what, len(milliseconds), round(1000 / statistics.median(milliseconds), 1), 0.0, 0.0)
