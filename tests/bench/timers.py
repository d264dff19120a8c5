"""A million waits, and two thousand a second that end: how late the journal says that they went on, beside a sorted set
in Redis that one process polls (the floor: it wakes nobody), and beside Celery tasks with an `eta` (a small sample).

Ours runs as it does in production: one worker a lane, two dispatchers, beat and housekeeping. People arrive at a wait
until a date of theirs; when it ends they go on to a branch. Lateness is measured by PostgreSQL's clock alone."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
import redis

from tests.bench import harness, lateness
from tests.bench.child import Child
from tests.bench.lateness import Lateness
from tests.drills.rig import machine, processes, processor, stage
from tests.drills.rig.processes import Crew, Program
from tests.drills.rig.servers import Servers

DATABASE = "bench_timers"
OURS, FLOOR, ETA = "carillon", "a sorted set, polled; nobody wakes", "a Celery task with eta for each wait"
REBUILD = "rebuild_timers"
GOAL_P99, GOAL_REBUILD, GOAL_GROWTH, GOAL_MEMORY = 2.0, 15.0, 1.05, 20.0
FIRST_SHARE = 0.25  # so many have woken when memory is looked at for the first time
DEFINITION: dict[str, Any] = {
    "schema": 1,
    "name": "Bench of the timers",
    "slug": "bench-timers",
    "entry": {"trigger": {"type": "event", "event": "bench_started"}},
    "start": "pause",
    "steps": {
        "pause": {
            "type": "wait",
            "config": {"mode": "date_attribute", "attribute": "wakes"},
            "next": {"next": "plan"},
        },
        "plan": {
            "type": "branch",
            "config": {"arms": [{"key": "pro", "if": {"field": "plan", "op": "eq", "value": "pro"}}]},
            "next": {"pro": None, "else": None},
        },
    },
}
PEOPLE = """
INSERT INTO contacts (id, external_id, attributes, timezone)
SELECT n, 'bench-' || n, jsonb_build_object('plan', (ARRAY['free', 'pro'])[1 + n %% 2]), 'Europe/Berlin'
  FROM generate_series(1, %s) AS n
"""
PENDING = """
INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, once, lane, state, step, seq, wake_at,
                                 waiting_since, entered_at)
SELECT w.id, w.live_version_id, 1000000000 + n, true, 'urgent', 'waiting', 'pause', 1,
       now() + interval '1 day' + n * interval '1 second', now(), now()
  FROM workflows w, generate_series(1, %s) AS n
"""
DATES = """
UPDATE contacts SET attributes = attributes || jsonb_build_object(
           'wakes', to_char(timezone('UTC', to_timestamp(%s + id / %s::float8)), 'YYYY-MM-DD"T"HH24:MI:SS.USZ'))
"""
ARRIVING = """
INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, once, lane, state, step, wake_at, entered_at)
SELECT w.id, w.live_version_id, c.id, true, 'urgent', 'active', 'pause', now(), now() FROM workflows w, contacts c
"""
# by the engine's own index: a look at a million rows would cost more than what is measured
LEFT = """
SELECT count(*) FROM workflow_enrolments
 WHERE lane = 'urgent' AND state IN ('active', 'waiting') AND NOT held AND wake_at < now() + interval '12 hours'
"""


@dataclass(frozen=True)
class Size:
    """`due` waits end evenly over `seconds`, `lead` seconds after the first of them arrived; `eta` tasks wait for later
    while `eta_due` run."""

    pending: int
    lead: float
    due: int
    seconds: float
    eta: int
    eta_due: int
    rounds: int


FULL = Size(pending=1_000_000, lead=45, due=50_000, seconds=25, eta=20_000, eta_due=2_000, rounds=3)
QUICK = Size(pending=100_000, lead=15, due=20_000, seconds=10, eta=2_000, eta_due=400, rounds=2)


class TimersBench:
    def __init__(self, servers: Servers, directory: Path, size: Size, say: Callable[[str], None]) -> None:
        self.servers, self.directory, self.size, self.say = servers, directory, size, say
        self.env = stage.product_env(servers, DATABASE, directory)
        self.late: dict[str, list[Lateness]] = {OURS: [], FLOOR: [], ETA: []}
        self.growth: list[float] = []  # of the largest growth of any process of ours, as a factor
        self.bytes_per_wait: dict[str, float] = {}
        self._crew: Crew | None = None
        self._child: Child | None = None

    def furnish(self) -> None:
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        document = self.directory / "workflow.json"
        document.write_text(json.dumps({"workflow": DEFINITION}))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        with self._database() as database:
            database.execute("ALTER SYSTEM SET track_commit_timestamp = on")
            database.execute(PEOPLE, [self.size.due])
            database.execute(PENDING, [self.size.pending])
            database.execute("VACUUM ANALYZE")
        self.servers.restart_postgres()

    def contenders(self) -> list[harness.Contender]:
        return [
            self._contender(OURS, self._prepare_ours, self._run_ours, self._settle_ours),
            self._contender(FLOOR, self._prepare_floor, self._run_floor, self._settle_floor),
            self._contender(ETA, self._prepare_eta, self._run_eta, self._settle_eta),
        ]

    def _contender(
        self, what: str, prepare: Callable[[], None], run: Callable[[], int], settle: Callable[[], None]
    ) -> harness.Contender:
        def end() -> None:
            settle()
            self.stop()
            self.say(f"{what}: {self.late[what][-1]}")

        return harness.Contender(what, prepare, run, end, roots=self._roots, workers=self._workers)

    # -- the index, anew -----------------------------------------------------------------------------------------------
    def rebuild(self) -> tuple[harness.Row, float]:
        """The whole command, with the start of Python; and the seconds that it took."""
        self.servers.flush_redis()
        redis_before = self._redis_bytes()
        before, began = processor.cpu_seconds(self.servers.roots()), time.monotonic()
        child = subprocess.Popen([processes.PYTHON, "manage.py", "rebuild_timers"], cwd=processes.ROOT, env=self.env)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if child.returncode:
            raise RuntimeError("the index was not rebuilt")
        cpu = processor.cpu_seconds(self.servers.roots()) - before + used.ru_utime + used.ru_stime
        self.bytes_per_wait[OURS] = (self._redis_bytes() - redis_before) / self.size.pending
        turn = harness.Round(self.size.pending, seconds, cpu, used.ru_maxrss / 1024)
        return harness.median_row(REBUILD, [turn]), seconds

    # -- ours ----------------------------------------------------------------------------------------------------------
    def _prepare_ours(self) -> None:
        """Everybody arrives at the wait, and the product itself notes when it ends."""
        self.servers.flush_redis()
        with self._database() as database:
            database.execute("DELETE FROM workflow_enrolments WHERE contact_id < 1000000000")
            database.execute("TRUNCATE workflow_journal, counter_deltas, counters, counter_months, counter_days")
            database.execute("VACUUM ANALYZE workflow_enrolments")
            database.execute("CHECKPOINT")
        stage.manage(self.env, "rebuild_timers")
        programs = [processes.worker("urgent"), processes.worker("housekeeping"), processes.beat()]
        self._start([*programs, *(processes.dispatcher(number) for number in (1, 2))], self.env)
        with self._database() as database:
            self._starts_at = time.time() + self.size.lead
            database.execute(DATES, [self._starts_at, self.size.due / self.size.seconds])
            database.execute(ARRIVING)
            self._wait(database, f"{LEFT} AND state = 'active'", 0)
        if time.time() > self._starts_at:
            raise RuntimeError(f"not everybody had arrived after {self.size.lead:.0f} s")
        time.sleep(self._starts_at - time.time())

    def _run_ours(self) -> int:
        with self._database() as database:
            self._wait(database, LEFT, int((1 - FIRST_SHARE) * self.size.due))
            first = self._memory()
            self._wait(database, LEFT, 0)
        last = self._memory()
        self.growth.append(max(last[pid] / first[pid] for pid in first))
        self.say("MB of each process: " + ", ".join(f"{first[pid]:.1f} → {last[pid]:.1f}" for pid in first))
        return self.size.due

    def _settle_ours(self) -> None:
        with self._database() as database:
            found = lateness.of_journal(database)
        if found.count != self.size.due:
            raise AssertionError(f"{self.size.due} waits ended, and the journal says {found.count}")
        self.late[OURS].append(found)

    def _memory(self) -> dict[int, float]:
        return {pid: processor.memory_mb([pid]) for pid in self._workers()}

    # -- the floor -----------------------------------------------------------------------------------------------------
    def _prepare_floor(self) -> None:
        self.servers.flush_redis()
        size, result = self.size, self._result
        result.unlink(missing_ok=True)
        command = [processes.PYTHON, "-m", "tests.bench.peers.sorted_set.polling", self.servers.index_url]
        self._child = Child([*command, str(size.pending), str(size.due), str(size.seconds), str(result)], self.env)

    def _run_floor(self) -> int:
        assert self._child is not None
        self._child.go()
        return self.size.due

    def _settle_floor(self) -> None:
        self.late[FLOOR].append(lateness.of(json.loads(self._result.read_text())))

    @property
    def _result(self) -> Path:
        return self.directory / "floor.json"

    # -- a task for each wait ------------------------------------------------------------------------------------------
    def _prepare_eta(self) -> None:
        self.servers.flush_redis()
        env = {**self.env, "ETA_BROKER": self.servers.broker_url}
        command = [processes.PYTHON, "-m", "celery", "--app", "tests.bench.peers.eta.tasks", "worker"]
        options = ["--concurrency", "2", "--hostname", "eta@rig", "--loglevel", "INFO"]
        self._start([Program("eta", "worker", [*command, *options], is_ready=lambda log: " ready." in log)], env)
        before, redis_before = sum(self._memory().values()), self._redis_bytes()
        self._publish(self.size.eta, at=time.time() + 86_400, every=1.0)
        broker = redis.Redis.from_url(self.servers.broker_url)
        while cast("int", broker.llen("celery")):
            time.sleep(0.1)
        grown = (sum(self._memory().values()) - before) * 2**20 + self._redis_bytes() - redis_before
        self.bytes_per_wait[ETA] = grown / self.size.eta

    def _run_eta(self) -> int:
        size, broker = self.size, redis.Redis.from_url(self.servers.broker_url)
        publishing = 0.003 * size.eta_due  # with time to spare: only what was published in time counts as late
        self._publish(size.eta_due, at=time.time() + 2 + publishing, every=size.seconds / size.eta_due)
        while cast("int", broker.llen("eta:late")) < size.eta_due:
            time.sleep(0.1)
        return size.eta_due

    def _settle_eta(self) -> None:
        found = redis.Redis.from_url(self.servers.broker_url, decode_responses=True).lrange("eta:late", 0, -1)
        self.late[ETA].append(lateness.of([float(each) for each in cast("list[str]", found)]))

    def _publish(self, count: int, *, at: float, every: float) -> None:
        code = "import sys; from tests.bench.peers.eta import publishing; publishing.publish(*map(float, sys.argv[1:]))"
        subprocess.run(
            [processes.PYTHON, "-c", code, str(count), str(at), str(every)],
            cwd=processes.ROOT,
            env={**self.env, "ETA_BROKER": self.servers.broker_url},
            check=True,
        )

    # -- all of them ---------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        for each in (self._crew, self._child):
            if each is not None:
                each.stop()
        self._crew = self._child = None

    def _start(self, programs: list[Program], env: dict[str, str]) -> None:
        self._crew = Crew(programs, env, self.directory / "logs")
        self._crew.start()

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        return [*(self._crew.pids() if self._crew else []), *([self._child.pid] if self._child else [])]

    def _redis_bytes(self) -> int:
        information = cast("dict[str, Any]", redis.Redis.from_url(self.servers.index_url).info("memory"))
        return int(information["used_memory"])

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)

    def _wait(self, database: psycopg.Connection, counted: str, left: int, patience: float = 120) -> None:
        """Until no more than so many are left; asks seldom, for the asking is counted too."""
        deadline = time.monotonic() + patience
        while (row := database.execute(counted).fetchone()) and row[0] > left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {patience:.0f} s: {row[0]} instead of {left}: {counted}")
            time.sleep(0.5)


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = TimersBench(servers, directory, size, say)
        try:
            bench.furnish()
            rebuilt, seconds = bench.rebuild()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = [*(harness.median_row(what, turns) for what, turns in rounds.items()), rebuilt]
    ours = bench.late[OURS]
    claims = [
        harness.at_most(
            "lateness p99, seconds (median of the rounds)", statistics.median(one.p99 for one in ours), GOAL_P99
        ),
        harness.at_most(
            "lateness p50, seconds (median of the rounds)", statistics.median(one.p50 for one in ours), GOAL_P99
        ),
        harness.at_most("lateness of the latest, seconds (worst round)", max(one.most for one in ours), 2 * GOAL_P99),
        harness.at_most("waits that ended early", sum(one.early for one in ours), 0),
        harness.at_most("memory of any process, at the end / after a quarter", max(bench.growth), GOAL_GROWTH),
        harness.at_most(f"seconds to rebuild the index of {size.pending:,} waits", seconds, GOAL_REBUILD),
        harness.at_least(
            f"memory of a pending wait: {ETA} / ours",
            bench.bytes_per_wait[ETA] / bench.bytes_per_wait[OURS],
            GOAL_MEMORY,
        ),
    ]
    late = {what: [str(one) for one in found] for what, found in bench.late.items()}
    return harness.Result(machine=ground | {"lateness": late}, rows=rows, claims=claims, rounds=rounds)
