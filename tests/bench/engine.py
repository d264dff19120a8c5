"""The engine beside a Celery task per step, beside two engines of durable execution, and beside the limit: the same
people, the same journey of branches, the same outcomes.

Ours runs as it does in production: real workers answering doorbells, the timer dispatcher, beat and housekeeping, with
journal, counters and trace. The naive peer runs on two Celery workers, once as Celery comes (a database connection for
each task) and once with CELERY_DB_REUSE_MAX; DBOS and procrastinate as their documentation shows. The limit is the
whole journey as one statement, written by hand. All costs count: workers, every PostgreSQL backend, Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from celery import Celery

from tests.bench import engine_peers, harness, journey
from tests.bench.child import Child
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.processes import Crew, Program
from tests.drills.rig.servers import Servers

DATABASE = "bench_engine"
OURS, NAIVE, NAIVE_REUSE = "carillon", "task per step, Celery's defaults", "task per step, CELERY_DB_REUSE_MAX"
GOALS = {NAIVE_REUSE: 100.0, NAIVE: 250.0, engine_peers.DBOS: 40.0, engine_peers.PROCRASTINATE: 30.0}
GOAL_LIMIT = 0.6  # of the limit's speed
OUR_OUTCOMES = "SELECT contact_id, array_agg(port ORDER BY seq) FROM workflow_journal GROUP BY contact_id"
THEIR_OUTCOMES = """
SELECT e.contact_id, array_agg(l.port ORDER BY l.seq)
  FROM naive_naiveenrolment e JOIN naive_naivelog l ON l.enrolment_id = e.id GROUP BY e.contact_id
"""


@dataclass(frozen=True)
class Size:
    contacts: int
    ours: int  # enrolments a round, of the limit, too
    naive: int
    durable: int
    rounds: int


FULL = Size(contacts=1_000_000, ours=1_000_000, naive=1_000, durable=1_500, rounds=3)
QUICK = Size(contacts=20_000, ours=20_000, naive=150, durable=150, rounds=2)


class EngineBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self.env = stage.product_env(servers, DATABASE, directory)
        self._crew: Crew | None = None
        self._child: Child | None = None
        self._turns = 0
        self._outcomes: dict[str, dict[int, list[str]]] = {}

    def furnish(self) -> None:
        """Contacts, the published journey, and the peer's tables."""
        definition = self.directory / "journey.json"
        definition.write_text(json.dumps(journey.definition()))
        owner = {"DATABASE_OWNER_SESSION": "1"}
        stage.manage(self.env | owner, "migrate", "--no-input", "--verbosity", "0")
        stage.manage(self._peer_env("1") | owner, "migrate", "--run-syncdb", "--no-input", "--verbosity", "0")
        document = self.directory / "workflow.json"
        document.write_text(json.dumps({"workflow": journey.definition()}))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        with self._database() as database:
            database.execute(journey.CONTACTS, [self.size.contacts])
            database.execute("VACUUM ANALYZE contacts")
        self._interpreter = engine_peers.python(self.directory)

    def contenders(self) -> list[harness.Contender]:
        return [
            self._contender(OURS, self._prepare_ours, self._run_ours, OUR_OUTCOMES),
            self._contender(NAIVE_REUSE, lambda: self._prepare_naive("10000"), self._run_naive, THEIR_OUTCOMES),
            self._contender(NAIVE, lambda: self._prepare_naive(""), self._run_naive, THEIR_OUTCOMES),
            *(
                self._contender(peer.what, partial(self._prepare_durable, peer), self._run_durable, THEIR_OUTCOMES)
                for peer in engine_peers.DURABLE
            ),
            self._contender(engine_peers.LIMIT, self._prepare_limit, self._run_limit, OUR_OUTCOMES),
        ]

    def _contender(
        self, what: str, prepare: Callable[[], None], run: Callable[[], int], outcomes: str
    ) -> harness.Contender:
        def settle() -> None:
            self.stop()
            self._compare(what, outcomes)

        return harness.Contender(what, prepare, run, settle, roots=self._roots, workers=self._workers)

    def _compare(self, what: str, query: str) -> None:
        """Speed means nothing beside wrong outcomes: everybody took every step once, and all contenders sent the same
        person the same way."""
        with self._database() as database:
            mine: dict[int, list[str]] = dict(database.execute(query).fetchall())
        if any(len(ports) != journey.STEPS for ports in mine.values()):
            raise AssertionError(f"{what}: somebody did not take each of the {journey.STEPS} steps once")
        self._outcomes[what] = mine
        for other, theirs in self._outcomes.items():
            if different := [contact for contact in mine.keys() & theirs.keys() if mine[contact] != theirs[contact]]:
                raise AssertionError(f"{what} and {other} disagree about contact {different[0]}")

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        return [*(self._crew.pids() if self._crew else []), *([self._child.pid] if self._child else [])]

    def stop(self) -> None:
        for each in (self._crew, self._child):
            if each is not None:
                each.stop()
        self._crew = self._child = None

    # -- ours ----------------------------------------------------------------------------------------------------------
    def _prepare_ours(self) -> None:
        """Everybody has waited since before the workers came, and is due at the same instant: that is the shot."""
        self._empty()
        self._start(
            [
                *(processes.worker("urgent", number) for number in (1, 2)),
                processes.worker("housekeeping"),
                processes.dispatcher(),
                processes.beat(),
            ],
            self.env,
        )
        left = self._enrol(ahead=5 + self.size.ours / 40_000)
        if left < 0:
            raise RuntimeError("they were due before they were all written")
        time.sleep(left)

    def _run_ours(self) -> int:
        """Until the last; the dispatcher sees that they are due."""
        with self._database() as database:
            self._wait(database, "SELECT EXISTS (SELECT FROM workflow_enrolments WHERE state IN ('active', 'waiting'))")
        return self.size.ours * journey.STEPS

    def _enrol(self, *, ahead: float) -> float:
        """Enrolments that are due so many seconds from now; how long that still is when they are written."""
        with self._database() as database:
            row = database.execute("SELECT now() + make_interval(secs => %s)", [ahead]).fetchone()
            assert row is not None
            database.execute(
                """
                INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, once, lane, state, step,
                                                 wake_at, entered_at)
                SELECT w.id, w.live_version_id, n, true, 'urgent', 'active', 'branch-1', %s, now()
                  FROM workflows w, generate_series(1, %s) AS n WHERE w.slug = 'bench-engine'
                """,
                [row[0], self.size.ours],
            )
            database.execute("VACUUM ANALYZE workflow_enrolments")
            left = database.execute("SELECT extract(epoch FROM %s - clock_timestamp())::float", row).fetchone()
            assert left is not None
            return left[0]

    # -- the limit -----------------------------------------------------------------------------------------------------
    def _prepare_limit(self) -> None:
        self._empty()
        self._enrol(ahead=0)
        self._child = Child(engine_peers.limit_command(), self.env)

    def _run_limit(self) -> int:
        assert self._child is not None
        self._child.go()
        return self.size.ours * journey.STEPS

    # -- durable execution ---------------------------------------------------------------------------------------------
    def _prepare_durable(self, peer: engine_peers.Durable) -> None:
        self._turns += 1
        self._enrol_naively(self.size.durable)
        env = engine_peers.durable_env(
            self.env,
            servers=self.servers,
            database=DATABASE,
            definition=self.directory / "journey.json",
            turn=self._turns,
        )
        self._child = Child(engine_peers.durable_command(peer, self._interpreter), env)

    def _run_durable(self) -> int:
        assert self._child is not None
        self._child.go()
        return self.size.durable * journey.STEPS

    # -- a task per step -----------------------------------------------------------------------------------------------
    def _peer_env(self, reuse: str) -> dict[str, str]:
        return {
            **self.env,
            "DJANGO_SETTINGS_MODULE": "tests.bench.peers.naive.settings",
            "NAIVE_DEFINITION": str(self.directory / "journey.json"),
            "NAIVE_DB_REUSE_MAX": reuse,
        }

    def _prepare_naive(self, reuse: str) -> None:
        self._enrol_naively(self.size.naive)
        command = [processes.PYTHON, "-m", "celery", "--app", "tests.bench.peers.naive.tasks", "worker"]
        options = ["--concurrency", "2", "--hostname", "naive@rig", "--loglevel", "INFO"]
        worker = Program("naive", "worker", [*command, *options], is_ready=lambda log: " ready." in log)
        self._start([worker], self._peer_env(reuse))

    def _run_naive(self) -> int:
        bells = Celery(broker=self.servers.broker_url)
        with self._database() as database:
            for row in database.execute("SELECT id FROM naive_naiveenrolment ORDER BY id").fetchall():
                bells.send_task("tests.bench.peers.naive.tasks.run_step", args=[row[0]])
            self._wait(database, "SELECT EXISTS (SELECT FROM naive_naiveenrolment WHERE state = 'active')")
        return self.size.naive * journey.STEPS

    def _enrol_naively(self, people: int) -> None:
        self._empty()
        with self._database() as database:
            database.execute(
                """
                INSERT INTO naive_naiveenrolment (contact_id, step, seq, state, updated_at)
                SELECT n, 'branch-1', 0, 'active', now() FROM generate_series(1, %s) AS n
                """,
                [people],
            )

    # -- all of them ------------------------------------------------------------------------------------------------
    def _start(self, programs: list[Program], env: Mapping[str, str]) -> None:
        self._crew = Crew(programs, env, self.directory / "logs")
        self._crew.start()

    def _empty(self) -> None:
        """Every round begins on empty tables, an empty Redis and a written-out database."""
        self.servers.flush_redis()
        with self._database() as database:
            database.execute(
                "TRUNCATE workflow_enrolments, workflow_journal, counter_deltas, counters, counter_months,"
                " counter_days, naive_naiveenrolment, naive_naivelog"
            )
            database.execute("CHECKPOINT")

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)

    def _wait(self, database: psycopg.Connection, left: str, patience: float = 600) -> None:
        """Until nothing is left; asks seldom, for the asking is counted too."""
        deadline = time.monotonic() + patience
        while (row := database.execute(left).fetchone()) and row[0]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all enrolments finished within {patience:.0f} s")
            time.sleep(0.1)


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        servers.create_database(f"{DATABASE}_dbos")
        bench = EngineBench(servers, directory, size)
        try:
            bench.furnish()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    ours = rows[OURS]
    claims = [
        *(
            harness.at_least(f"CPU of a step: {peer} / ours", harness.cpu_ratio(ours, rows[peer]), goal)
            for peer, goal in GOALS.items()
        ),
        harness.at_least(
            f"CPU of a step: {engine_peers.LIMIT} / ours", harness.cpu_ratio(ours, rows[engine_peers.LIMIT]), GOAL_LIMIT
        ),
    ]
    return harness.Result(machine=ground, rows=list(rows.values()), claims=claims, rounds=rounds)
