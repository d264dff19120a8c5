"""What an item costs as the installation grows: 1,000, 10,000, 100,000 and a million people, each with ten events.

The installation grows in place, and at each size the same work is done: rows are imported, events come in (one in ten
starts a journey, which is walked through), scores are computed from the events, pages are read. What counts is that
the cost of an item stays what it was: processor time of the process and of every PostgreSQL backend.

PostgreSQL has the memory that its manual begins with: a quarter of the machine's. With what it takes on a laptop the
smallest installation would lie in its cache and the largest would not, and the curve would show no more than that."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import harness, imports, intake_stream, journey
from tests.bench.child import Child
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.servers import Servers

DATABASE = "bench_growth"
MORE_PEOPLE = journey.CONTACTS.replace("generate_series(1, %s)", "generate_series(%s::bigint, %s::bigint)")
MORE_IDENTITIES = """
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
SELECT 'external_id', external_id, id, now() FROM contacts WHERE id BETWEEN %s AND %s
"""
MORE_EVENTS = """
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, properties, context,
                            source, processed, key_hash)
SELECT who, who, (ARRAY['page_viewed', 'email_sent', 'email_delivered', 'email_opened', 'product_used',
                        'email_clicked', 'form_submitted', 'cart_updated', 'trial_started', 'page_viewed'])[k],
       at, at, jsonb_build_object('path', '/page/' || who %% 1000), '{}', 'api', true, int8send(who * 10 + k)
  FROM generate_series(%s::bigint, %s::bigint) AS who, generate_series(1, 10) AS k,
       LATERAL (SELECT now() - ((who * 7919 + k * 104729) %% 1200) * interval '1 minute' AS at) instant
"""
NEWCOMERS = "SELECT id FROM contacts WHERE external_id LIKE 'ext-%'"
LIMIT = 1.5  # an item may cost so much more in the largest installation than in the smallest
DEEDS = {
    "an event, through its journey": ("events", 5_000),
    "a score, 500 in a statement": ("scores", 10_000),
    "a contact, 100 on a page": ("pages", 10_000),
}
IMPORTED = "a row imported"


@dataclass(frozen=True)
class Size:
    people: tuple[int, ...]
    imported: int
    rounds: int


FULL = Size(people=(1_000, 10_000, 100_000, 1_000_000), imported=5_000, rounds=3)
QUICK = Size(people=(1_000, 10_000), imported=2_000, rounds=2)
MEMORY_SHARE, MOST_MEMORY_MB = 0.25, 4_096


class GrowthBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self.env = stage.product_env(servers, DATABASE, directory)
        self._child: Child | None = None
        self._people = 0
        self._first = 1

    def furnish(self) -> None:
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        definition = intake_stream.definition()
        definition["entry"] |= {"re_entry": {"policy": "every_time"}}
        definition["start"] = "plan"
        definition["steps"] = {
            "plan": {
                "type": "branch",
                "config": {"arms": [{"key": "yes", "if": {"field": "plan", "op": "eq", "value": "pro"}}]},
                "next": {"yes": "bye", "else": "bye"},
            },
            "bye": {"type": "exit", "config": {}, "next": {}},
        }
        document = self.directory / "workflow.json"
        document.write_text(json.dumps({"workflow": definition}))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        rules = Child(
            [processes.PYTHON, "-m", "tests.bench.scoring_turn", "rules", str(self.directory / "rules")], self.env
        )
        rules.go()
        rules.stop()
        with self._database() as database:  # who comes meanwhile is numbered behind all who will be made
            database.execute(
                "SELECT setval(pg_get_serial_sequence('contacts', 'id'), %s)", [10 * max(self.size.people)]
            )

    def grow(self, people: int) -> None:
        """To so many people, with their identities and their events."""
        with self._database() as database:
            span = [self._people + 1, people]
            for statement in (MORE_PEOPLE, MORE_IDENTITIES, MORE_EVENTS):
                database.execute(statement, span)
            database.execute("VACUUM ANALYZE")
            database.execute("CHECKPOINT")
        self._people = people

    def contenders(self) -> list[harness.Contender]:
        return [self._import(), *(self._deed(what, *deed) for what, deed in DEEDS.items())]

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None

    def _deed(self, what: str, deed: str, count: int) -> harness.Contender:
        def prepare() -> None:
            numbers = [str(each) for each in (self._first, count, self._people)]
            self._child = Child([processes.PYTHON, "-m", "tests.bench.growth_turn", deed, *numbers], self.env)
            self._first += 10 * count

        return self._contender(what, prepare, count, self.stop)

    def _import(self) -> harness.Contender:
        count, path = self.size.imported, self.directory / "people.csv"

        def prepare() -> None:
            imports.write(path, count)
            self._child = Child([processes.PYTHON, "-m", "tests.bench.imports_turn", str(path)], self.env)

        def settle() -> None:
            """Those who came are taken out again, so that every round finds the same installation."""
            self.stop()
            with self._database() as database:
                (came,) = database.execute(
                    "SELECT count(*) FROM contacts WHERE external_id LIKE 'ext-%'"
                ).fetchone() or [0]
                if came != count:
                    raise AssertionError(f"{came} of {count} rows became contacts")
                database.execute("SET session_replication_role = replica")
                for table in ("contact_identities", "consent_records", "contact_changes", "segment_checks"):
                    database.execute(f"DELETE FROM {table} WHERE contact_id IN ({NEWCOMERS})")
                database.execute("DELETE FROM contacts WHERE external_id LIKE 'ext-%'")
                database.execute("VACUUM contacts, contact_identities, consent_records, contact_changes")

        return self._contender(IMPORTED, prepare, count, settle)

    def _contender(
        self, what: str, prepare: Callable[[], None], count: int, settle: Callable[[], None]
    ) -> harness.Contender:
        def run() -> int:
            assert self._child is not None
            self._child.go()
            return count

        def workers() -> list[int]:
            return [self._child.pid] if self._child else []

        return harness.Contender(what, prepare, run, settle, lambda: [*self.servers.roots(), *workers()], workers)

    def _database(self) -> psycopg.Connection[Any]:
        return self.servers.connect(DATABASE)


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    rounds: dict[str, list[harness.Round]] = {}
    costs: dict[str, list[tuple[int, float]]] = {what: [] for what in (IMPORTED, *DEEDS)}
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.give_memory(min(MOST_MEMORY_MB, round(MEMORY_SHARE * 1024 * ground["memory_gb"])))
        servers.create_database(DATABASE)
        bench = GrowthBench(servers, directory, size)
        try:
            bench.furnish()
            for people in size.people:
                say(f"{people:,} people")
                bench.grow(people)
                for what, turns in harness.interleave(bench.contenders(), size.rounds, say).items():
                    rounds[f"{what}, {people:,} people"] = turns
                    costs[what].append((people, harness.median_row(what, turns).cpu_us))
        finally:
            bench.stop()
    claims = [
        harness.at_least(
            f"{what}: {LIMIT:g} times its cost among {points[0][0]:,} / its cost among {points[-1][0]:,}",
            LIMIT * points[0][1] / points[-1][1],
            1.0,
        )
        for what, points in costs.items()
    ]
    return harness.Result(
        machine=ground,
        rows=[harness.median_row(what, turns) for what, turns in rounds.items()],
        claims=claims,
        rounds=rounds,
        curves=[{"what": what, "points": points} for what, points in costs.items()],
    )
