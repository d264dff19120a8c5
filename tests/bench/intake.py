"""Intake beside an ORM transaction for each event, and intake through HTTP.

The same events, of the same people, in the product's own tables: who is meant, deduplication, consent, storing,
matching with triggers, re-entry, enrolment. All costs count: the process and every PostgreSQL backend; Redis, too.

One event in ten is of the type that starts the one live journey; the others are stored, and nobody awaits them. Both
sides find out by themselves which are which: ours when it stores them (docs/decisions/0014), the peer by a look at the
triggers for each event. The more of the events are awaited, the more of ours is matching and enrolling."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench import harness, http_load, intake_stream, journey
from tests.bench.child import Child
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.processes import Crew
from tests.drills.rig.servers import Servers, free_port

DATABASE = "bench_intake"
OURS, PEER = "record_batch (1,000) + match_batch (500)", "an ORM transaction (SERIALIZABLE) an event"
HTTP = "POST /api/v1/events, batches of 100, two web workers"
GOAL_CPU, GOAL_HTTP = 50.0, 10_000.0
HTTP_BATCH, CONNECTIONS = 100, 8
EMPTIED = (
    "contact_events, event_keys, pending_events, intake_deltas, intake_tallies, contact_changes, processed_triggers,"
    " entry_refusals, workflow_enrolments, counter_deltas, counters, segment_checks"
)


@dataclass(frozen=True)
class Size:
    people: int
    ours: int  # events a round
    peer: int
    http: int
    rounds: int


FULL = Size(people=100_000, ours=60_000, peer=1_500, http=60_000, rounds=3)
QUICK = Size(people=20_000, ours=20_000, peer=400, http=20_000, rounds=2)


class IntakeBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self.env = stage.product_env(servers, DATABASE, directory)
        self.port, self.key = free_port(), ""
        self._child: Child | None = None
        self._crew: Crew | None = None
        self._bodies: list[bytes] = []

    def furnish(self) -> None:
        """Contacts with their identities, a live journey, and a key."""
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        document = self.directory / "workflow.json"
        document.write_text(json.dumps({"workflow": intake_stream.definition()}))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        self.key = stage.manage(self.env, "create_api_key", "--name", "bench", "--scopes", "events:write").strip()
        with self._database() as database:
            database.execute(journey.CONTACTS, [self.size.people])
            database.execute(
                "INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)"
                " SELECT 'external_id', external_id, id, now() FROM contacts"
            )
            database.execute("SELECT setval(pg_get_serial_sequence('contacts', 'id'), max(id)) FROM contacts")
            database.execute("VACUUM ANALYZE")

    def contenders(self) -> list[harness.Contender]:
        ours, peer = "tests.bench.intake_ours", "tests.bench.peers.one_by_one.intake"
        return [
            self._in_a_process(OURS, ours, self.size.ours),
            self._in_a_process(PEER, peer, self.size.peer),
            harness.Contender(
                HTTP,
                prepare=self._prepare_http,
                run=self._run_http,
                settle=lambda: self._settle(HTTP, self.size.http, enrols=False),
                roots=self._roots,
                workers=self._workers,
            ),
        ]

    def stop(self) -> None:
        for each in (self._child, self._crew):
            if each is not None:
                each.stop()
        self._child = self._crew = None

    # -- in a process of its own ---------------------------------------------------------------------------------------
    def _in_a_process(self, what: str, module: str, count: int) -> harness.Contender:
        def prepare() -> None:
            self._empty()
            command = [processes.PYTHON, "-m", module, "1", str(count), str(self.size.people)]
            self._child = Child(command, self.env)

        def run() -> int:
            assert self._child is not None
            self._child.go()
            return count

        return harness.Contender(
            what, prepare, run, lambda: self._settle(what, count, enrols=True), self._roots, self._workers
        )

    # -- through HTTP --------------------------------------------------------------------------------------------------
    def _prepare_http(self) -> None:
        self._empty()
        self._bodies = intake_stream.bodies(1, self.size.http, HTTP_BATCH, people=self.size.people)
        self._crew = Crew([processes.web(self.port)], self.env, self.directory / "logs")
        self._crew.start()
        warm = intake_stream.bodies(10**9, 20 * HTTP_BATCH, HTTP_BATCH, people=self.size.people)
        http_load.post(self.port, "/api/v1/events", warm, key=self.key, connections=CONNECTIONS)
        self._empty()

    def _run_http(self) -> int:
        http_load.post(self.port, "/api/v1/events", self._bodies, key=self.key, connections=CONNECTIONS)
        return self.size.http

    # -- all -----------------------------------------------------------------------------------------------------------
    def _settle(self, what: str, count: int, *, enrols: bool) -> None:
        """Speed means nothing beside wrong outcomes: every event once, everybody enrolled once who is to be."""
        self.stop()
        expected = intake_stream.outcome(1, count, people=self.size.people)
        with self._database() as database:
            stored, enrolled = database.execute(
                "SELECT (SELECT count(*) FROM contact_events), (SELECT count(*) FROM workflow_enrolments)"
            ).fetchall()[0]
        if (stored, enrolled) != (expected.stored, expected.enrolled if enrols else 0):
            raise AssertionError(f"{what}: {stored} events and {enrolled} enrolments, where {expected} was expected")

    def _empty(self) -> None:
        """Every round begins with the same people, on empty tables and a written-out database."""
        self.servers.flush_redis()
        with self._database() as database:
            database.execute(f"TRUNCATE {EMPTIED}")
            database.execute("DELETE FROM contact_identities WHERE contact_id > %s", [self.size.people])
            database.execute("DELETE FROM contacts WHERE id > %s", [self.size.people])
            database.execute("VACUUM ANALYZE contacts, contact_identities")
            database.execute("CHECKPOINT")

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        if self._crew is not None:
            return self._crew.pids()
        assert self._child is not None
        return [self._child.pid]

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = IntakeBench(servers, directory, size)
        try:
            bench.furnish()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    claims = [
        harness.at_least(
            f"CPU of an event ({intake_stream.AWAITED:.0%} are awaited): ORM transaction / ours",
            harness.cpu_ratio(rows[OURS], rows[PEER]),
            GOAL_CPU,
        ),
        harness.at_least("events a second through HTTP", rows[HTTP].per_second, GOAL_HTTP),
    ]
    return harness.Result(machine=ground, rows=list(rows.values()), claims=claims, rounds=rounds)
