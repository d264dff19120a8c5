"""Imports of people who are new, beside a loop over rows with an ORM call each.

Eight columns: three identifiers, a time zone, three attributes, a consent. All costs count: the process, and every
PostgreSQL backend. Memory is that of the importing process when it is done, at three sizes of file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench import harness, turn
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.servers import Servers

DATABASE = "bench_imports"
OURS, PEER = "import_contacts", "update_or_create for each row"
GOAL_SPEED, GOAL_CPU, GOAL_MEMORY = 20_000.0, 20.0, 1.3
EMPTIED = (
    "contacts, contact_identities, consent_records, contact_changes, segment_checks, score_checks, import_runs,"
    " import_rejects"
)


@dataclass(frozen=True)
class Size:
    files: tuple[int, int, int]  # rows; the smallest is imported once before, unmeasured by any claim
    peer: int
    rounds: int


FULL = Size(files=(10_000, 100_000, 1_000_000), peer=1_500, rounds=3)
QUICK = Size(files=(5_000, 20_000, 50_000), peer=500, rounds=2)


class ImportsBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self.env = stage.product_env(servers, DATABASE, directory)
        self._child: subprocess.Popen[str] | None = None

    def furnish(self) -> None:
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        for count in (*self.size.files, self.size.peer):
            write(self._file(count), count)

    def contenders(self) -> list[harness.Contender]:
        return [
            *(
                self._contender(f"{OURS}, {count:,} rows", "tests.bench.imports_turn", count)
                for count in self.size.files
            ),
            self._contender(PEER, "tests.bench.peers.row_by_row.importing", self.size.peer),
        ]

    def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._child = None

    def _contender(self, what: str, module: str, count: int) -> harness.Contender:
        def prepare() -> None:
            with self._database() as database:
                database.execute(f"TRUNCATE {EMPTIED} CASCADE")
                database.execute("CHECKPOINT")
            self._child = subprocess.Popen(
                [processes.PYTHON, "-m", module, str(self._file(count))],
                cwd=processes.ROOT,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._hear(turn.READY)

        def run() -> int:
            assert self._child is not None and self._child.stdin is not None
            print(turn.GO, file=self._child.stdin, flush=True)
            self._hear(turn.DONE)
            return count

        def settle() -> None:
            self.stop()
            with self._database() as database:
                found = database.execute("SELECT (SELECT count(*) FROM contacts), count(*) FROM consent_records")
                if found.fetchone() != (count, count):
                    raise AssertionError(f"{what}: not every row became a contact with its consent")

        return harness.Contender(what, prepare, run, settle, self._roots, self._workers)

    def _hear(self, word: str) -> None:
        assert self._child is not None and self._child.stdout is not None
        for line in self._child.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"the contender ended before it was {word}")

    def _file(self, count: int) -> Path:
        return self.directory / f"people-{count}.csv"

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        assert self._child is not None
        return [self._child.pid]

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)


def write(path: Path, count: int, *, first: int = 0) -> None:
    """So many people, from that number on."""
    zones, plans = ("Europe/Berlin", "America/New_York", "Asia/Tokyo"), ("trial", "paid", "free")
    with path.open("w", encoding="utf-8") as file:
        file.write("external_id,email,phone,timezone,plan,company,seats,consent_marketing\n")
        file.writelines(
            f"ext-{n:07d},Person.{n}@example{n % 997}.com,+49151{n:07d},{zones[n % 3]},{plans[n % 5 % 3]},"
            f'"Company {n % 50_000}, Inc",{n % 500},{"true" if n % 3 else "false"}\n'
            for n in range(first, first + count)
        )


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = ImportsBench(servers, directory, size)
        try:
            bench.furnish()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    small, middle, large = (rows[f"{OURS}, {count:,} rows"] for count in size.files)
    claims = [
        harness.at_least("rows a second", middle.per_second, GOAL_SPEED),
        harness.at_least("rows a second of the largest file", large.per_second, GOAL_SPEED),
        harness.at_least("CPU of a row: update_or_create / ours", harness.cpu_ratio(large, rows[PEER]), GOAL_CPU),
        harness.at_least(
            "memory: smallest file / largest, times the allowance", GOAL_MEMORY * small.rss_mb / large.rss_mb, 1.0
        ),
    ]
    return harness.Result(machine=ground, rows=list(rows.values()), claims=claims, rounds=rounds)
