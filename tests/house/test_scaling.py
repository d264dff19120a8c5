"""What docs/operations/scaling.md says is what the model computes of the figures that were kept, of the schema as it is
and of the keys that the scripts are called with; and the model agrees with what is known in closed form."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from redis.commands.core import Script

from contacts import limits
from delivery.rates import pacing, throttle
from tests.proof import kept, readme
from tests.proof.scaling import citus, page, plant, redis_keys, simulation
from tests.proof.scaling.figures import AWAITED, NEEDS, STEPS, Figure, figures
from tests.proof.scaling.plant import DATABASE, HOSTS, Plant
from tests.proof.scaling.simulation import BATCH, Visit, play
from workflows import timers

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
WRITE = "write it anew: python -m tests.proof.scaling postgres://…, the address of a migrated database"
# of an event 300 µs at the hosts and 100 at the database
STAGES = [
    Figure("web", "event", 1.0, 200.0, 50.0, 1.0, 2, "", ""),
    Figure("engine", "step", 2.0, 50.0, 25.0, 1.0, 2, "", ""),
]


def bench(row: str, *, split: bool) -> dict:
    turns = [{"cpu": 2.0, "workers_cpu": 0.5}, {"cpu": 4.0, "workers_cpu": 1.0}]
    return {
        "day": "2026-12-24",
        "machine": {"cores": 16},
        "rows": [{"what": row, "cpu_us": 40.0, "per_second": 90_000.0}],
        "rounds": {row: turns if split else [{"cpu": 2.0}]},
    }


# -- the page ----------------------------------------------------------------------------------------------------------
def test_the_tables_of_the_page_are_those_that_are_made_from_what_was_kept():
    assert readme.found_in(page.PATH) == page.text(kept.load(kept.BENCHES)).strip("\n") + "\n", WRITE


def test_the_table_of_the_scripts_is_made_from_their_keys():
    assert readme.found_in(page.PATH, page.OF_REDIS) == redis_keys.text(), WRITE


@pytest.mark.django_db
def test_what_citus_would_take_is_read_from_the_schema():
    with connection.cursor() as cursor:
        schema = citus.read(cursor)
    assert readme.found_in(page.PATH, page.OF_THE_SCHEMA) == citus.text(schema), WRITE
    named = citus.REFERENCE | citus.WANTING.keys()
    assert named <= schema.tables.keys()
    assert not named & citus.divided(schema).keys()


# -- the figures -------------------------------------------------------------------------------------------------------
def test_a_benchmark_that_was_kept_takes_the_place_of_the_run_that_is_named():
    (need,) = [need for need in NEEDS if need.stage == "engine"]
    (before,) = [each for each in figures({}) if each.stage == "engine"]
    assert (before.us, before.source) == (pytest.approx(need.us), need.source)
    (after,) = [each for each in figures({"engine": bench(need.row, split=True)}) if each.stage == "engine"]
    assert (after.hosts_us, after.servers_us) == (pytest.approx(10.0), pytest.approx(30.0))
    assert (after.a_second, after.cores, after.per_event) == (90_000.0, 16, AWAITED * STEPS)
    assert "2026-12-24" in after.source and after.split == "measured with it"


def test_a_benchmark_that_does_not_say_who_worked_is_divided_as_before():
    (need,) = [need for need in NEEDS if need.stage == "engine"]
    (found,) = [each for each in figures({"engine": bench(need.row, split=False)}) if each.stage == "engine"]
    assert found.us == pytest.approx(40.0)
    assert found.servers_us == pytest.approx(40.0 * need.servers) and found.split == need.split


# -- the schema --------------------------------------------------------------------------------------------------------
def test_a_divided_table_keeps_what_holds_its_column_and_loses_the_rest():
    schema = citus.Schema(
        tables={"contacts": False, "messages": True, "outbox": True, "tags": False, "runs": False},
        uniques=[
            citus.Unique("messages", "messages_pkey", True, False, ("id",)),
            citus.Unique("messages", "one_a_key", False, False, ("idempotency_key",)),
            citus.Unique("messages", "one_a_day", False, False, ("contact_id", "day")),
            citus.Unique("messages", "one_name", False, True, ("contact_id",)),
            citus.Unique("runs", "one_run", False, False, ("name",)),
        ],
        keys=[
            ("messages", "contact_id", "contacts", "id"),
            ("messages", "tag_id", "tags", "id"),
            ("messages", "run_id", "runs", "id"),
            ("outbox", "message_id", "messages", "id"),
            ("runs", "message_id", "messages", "id"),
        ],
        triggers=[("messages", "messages_is_append_only"), ("tags", "tags_are_kept")],
    )
    found = citus.losses(schema)
    assert found.keys() == {"contacts", "messages", "outbox"}
    assert found["messages"] == citus.Loss(
        "messages", ["one_a_key", "one_name"], ["messages_pkey"], ["run_id → runs"], ["messages_is_append_only"]
    )
    assert found["outbox"].keys == ["message_id → messages"]
    said = citus.text(schema)
    assert "lead to a divided table: `runs.message_id`" in said and "refuses as well: `tags`" in said


# -- the scripts -------------------------------------------------------------------------------------------------------
@pytest.fixture
def called(monkeypatch) -> dict[str, tuple[str, ...]]:
    """The keys of each script that was called since, by its path, without the prefix."""
    found: dict[str, tuple[str, ...]] = {}
    texts = {path.read_text(): str(path.relative_to(settings.BASE_DIR)) for path in _scripts()}
    real = Script.__call__

    def call(script, keys=(), args=(), client=None):
        found[texts[script.script]] = tuple(key.removeprefix(settings.REDIS_PREFIX) for key in keys)
        return real(script, keys=keys, args=args, client=client)

    monkeypatch.setattr(Script, "__call__", call)
    return found


def _scripts() -> list[Path]:
    apps = ("analytics", "contacts", "delivery", "scoring", "workflows")
    return [path for app in apps for path in (Path(settings.BASE_DIR) / app).rglob("*.lua")]


def test_every_script_is_called_with_the_keys_that_the_page_shows(called):
    limits.count(7, None)
    pacing.reserve(
        {"example.com": 5.0, "example.org": 5.0}, {"example.com": 1, "example.org": 1}, lane="urgent", now=NOW
    )
    throttle.take("sendgrid", 1, lane="urgent")
    timers.claim_due(lane="urgent", now=NOW)
    assert called == redis_keys.SCRIPTS
    assert len(called) == len(_scripts())


# -- the arithmetic ----------------------------------------------------------------------------------------------------
def test_whoever_is_full_first_says_how_much_goes_through():
    few, many = plant.capacity(STAGES, Plant(1)), plant.capacity(STAGES, Plant(16))
    assert (few.full, few.events_per_second) == (HOSTS, pytest.approx(2 / 300e-6))
    assert few.busy == {HOSTS: pytest.approx(1.0), DATABASE: pytest.approx(1 / 3)}
    assert (many.full, many.events_per_second) == (DATABASE, pytest.approx(2 / 100e-6))
    assert many.busy == {HOSTS: pytest.approx(3 / 16), DATABASE: pytest.approx(1.0)}
    assert plant.hosts_to_fill(STAGES, Plant(1)) == pytest.approx(3.0)


def test_a_divided_database_carries_as_much_more_until_what_is_common_fills_one():
    assert plant.sharded(STAGES, 1, 2, 0.2) == pytest.approx(20_000)
    assert plant.sharded(STAGES, 4, 2, 0.0) == plant.sharded(STAGES, 4, 2, 0.2) == pytest.approx(80_000)
    assert plant.sharded(STAGES, 8, 2, 0.2) == plant.sharded(STAGES, 5, 2, 0.2) == pytest.approx(100_000)


# -- the simulation ----------------------------------------------------------------------------------------------------
def wait_in_line(servers: int, load: float, mean: float) -> float:
    """Erlang's C: seconds that a job waits on the average, where jobs and services are memoryless."""
    offered = servers * load
    below = sum(offered**k / math.factorial(k) for k in range(servers))
    last = offered**servers / math.factorial(servers) / (1 - load)
    return last / (below + last) * mean / (servers * (1 - load))


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.8), (4, 0.8), (16, 0.9)])
def test_the_wait_in_one_line_is_erlangs(servers, load):
    mean = 0.1
    flow = play({HOSTS: servers}, [Visit(HOSTS, mean)], rate=load * servers / mean, jobs=150_000, seed=4)
    assert sum(flow.waits) / len(flow.waits) == pytest.approx(wait_in_line(servers, load, mean), rel=0.08)
    assert flow.busy[HOSTS] == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize(("hosts", "full"), [(1, HOSTS), (2, HOSTS), (4, DATABASE), (16, DATABASE)])
def test_a_flood_goes_through_as_fast_as_the_arithmetic_says_and_fills_what_it_names(hosts, full):
    said = plant.capacity(STAGES, Plant(hosts))
    flow = simulation.installation(
        STAGES, Plant(hosts), events_per_second=3 * said.events_per_second, jobs=10_000, seed=5
    )
    assert flow.rate * BATCH == pytest.approx(said.events_per_second, rel=0.03)
    assert max(flow.busy, key=lambda where: flow.busy[where]) == said.full == full
    assert flow.busy[full] > 0.97


def test_what_came_in_went_out_or_is_still_there():
    visits = simulation.path(STAGES)
    whole = play(Plant(2).servers(), visits, rate=100.0, jobs=5_000, seed=6)
    assert (whole.arrived, whole.ended, whole.inside) == (5_000, 5_000, 0)
    assert whole.visits == {HOSTS: 5_000 * len(STAGES), DATABASE: 5_000 * len(STAGES)}
    broken_off = play(Plant(2).servers(), visits, rate=1_000.0, jobs=5_000, seed=6, until=2.0)
    assert broken_off.inside > 0
    assert broken_off.arrived == broken_off.ended + broken_off.inside


def test_the_same_seed_is_the_same_run():
    one, again, other = (play({HOSTS: 2}, [Visit(HOSTS, 0.1)], rate=15.0, jobs=500, seed=seed) for seed in (1, 1, 2))
    assert one == again and one.times != other.times
