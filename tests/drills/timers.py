"""I11 to I13: among a million waits some thousands end each second, while the clocks of dispatchers and workers are
five minutes wrong, either way, Redis is emptied or killed again and again, and whoever wakes people is killed as well.
No wait ends early by PostgreSQL's clock, none is lost, none ends twice, and the index of wake times comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from tests.drills.rig import checker, people
from tests.drills.rig.bells import PREFIX
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, Program, beat, dispatcher, worker
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan

JOURNEY = Path(__file__).parent / "journeys" / "timers.yaml"
INDEX, EPOCH = f"{PREFIX}timers:urgent", f"{PREFIX}timers:epoch"  # as `workflows.timers` calls them
WRONG_SECONDS = 300
WAITS_OF_EACH = 20  # that one contact is in at a time
IN_TIME_SECONDS = 2.0  # at p99, without faults
NO_EARLY = "no wait ended before its time by PostgreSQL's clock"
EACH_ONCE = "every wait that came due ended, each once, and no other"
FAULTS = {"worker": 2.0, "dispatcher": 2.0, "terminate_backends": 1.0}
CHAOS = "dispatcher.claimed=pause:0.05:0.1+kill:0.01,engine.claimed=pause:0.05:0.1,engine.applied=kill:0.01;seed={seed}"

# Everybody has come to the wait already, and waits for weeks.
WAITING = """
WITH came AS (
    INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, entry_key, lane, state, step, seq, wake_at,
                                     waiting_since, entered_at)
    SELECT w.id, w.live_version_id, 1 + n / %(each)s, (n %% %(each)s)::text, 'urgent', 'waiting', 'rest', 1,
           now() + interval '10 days' + make_interval(secs => n), now(), now()
      FROM workflows w, generate_series(0, %(waits)s - 1) AS n
    RETURNING *)
INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, port, detail, at)
SELECT id, 1, contact_id, version_id, 'rest', 'wait', 'waiting', '', '{}', entered_at FROM came
"""
# A witness of the drill's own, who does not believe what the engine says about the time: `began` is the start of the
# transaction that ended the wait, `told` an instant shortly before its commit, both by PostgreSQL's clock.
WITNESS = """
CREATE TABLE due (enrolment_id bigint PRIMARY KEY, place int NOT NULL, wake_at timestamptz);
INSERT INTO due SELECT id, row_number() OVER (ORDER BY md5(id::text)) FROM workflow_enrolments ORDER BY 2 LIMIT {due};
CREATE TABLE ended (enrolment_id bigint NOT NULL, began timestamptz NOT NULL, told timestamptz NOT NULL);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ended SELECT enrolment_id, now(), clock_timestamp() FROM fresh WHERE outcome <> 'waiting';
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT ON workflow_journal REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION witness();
"""
# Of those chosen, from all over the table, this run's wake, one after the other.
SET_DUE = """
WITH others AS (DELETE FROM due WHERE place > %(due)s),
set AS (
    UPDATE due SET wake_at = now() + make_interval(secs => %(lead)s + %(seconds)s::float8 * place / %(due)s)
     WHERE place <= %(due)s RETURNING enrolment_id, wake_at)
UPDATE workflow_enrolments e SET wake_at = s.wake_at FROM set s WHERE e.id = s.enrolment_id
RETURNING e.id, extract(epoch FROM e.wake_at)::float8
"""


@dataclass(frozen=True)
class Size:
    """Of `waits`, `due` end within `seconds`, of which the first `lead` seconds after that was decided; meanwhile Redis
    is emptied so often, and so often killed, to come back empty. `patience`: how long after the last loss all may take
    to end. `fault_every`: seconds."""

    waits: int
    due: int
    lead: float
    seconds: float
    emptied: int
    killed: int
    patience: float
    fault_every: float


FULL = Size(1_000_000, 40_000, lead=20, seconds=20, emptied=4, killed=2, patience=120, fault_every=1.0)
SMOKE = Size(20_000, 2_000, lead=1, seconds=3, emptied=2, killed=1, patience=30, fault_every=1.5)


class Timers:
    name = "timers"
    has_calm_run = True  # for the lateness, on a machine that does nothing else
    mutants: Mapping[str, tuple[str, ...]] = {
        "timers.app_clock": (NO_EARLY,),
        "timers.redis_is_the_truth": (EACH_ONCE,),
    }

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        size = SMOKE if smoke else FULL
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, size.waits // WAITS_OF_EACH)
            connection.execute(WAITING, {"waits": size.waits, "each": WAITS_OF_EACH})
            connection.execute("VACUUM ANALYZE workflow_enrolments, workflow_journal")
        manage(env, "rebuild_counters", timeout=900)  # of waits that no engine began
        with servers.connect(TEMPLATE) as connection:
            connection.execute(WITNESS.format(due=size.due))

    def settings(self, play: Play) -> dict[str, str]:
        return {} if play.calm or play.mutant else {"CARILLON_CHAOS": CHAOS.format(seed=play.seed)}

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size = _size(play)
        crew = scene.start(_installation(play))
        index = redis.Redis.from_url(scene.servers.index_url, decode_responses=True, socket_timeout=5)
        if not play.mutant and not scene.wait_until(lambda: bool(index.exists(EPOCH)), 180):
            raise TimeoutError("no dispatcher built the index of wake times")
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=size.fault_every,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=lambda: scene.number("SELECT pg_relation_size('ended')"),
        )
        with scene.servers.connect(scene.database) as connection:
            asked = {"due": size.due, "seconds": size.seconds, "lead": size.lead}
            index.zadd(INDEX, dict(connection.execute(SET_DUE, asked).fetchall()))  # as who begins to wait is noted
        if not play.calm and not play.mutant:
            nemesis.start()
        losses = _lose_redis(scene, size)
        scene.wait_until(lambda: _ended(scene) >= size.due, size.patience)
        nemesis.stop()
        faults = nemesis.collect()
        comeback = None if play.mutant else _comeback(scene, index)
        crew.stop()
        late = _lateness(scene)
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene, size, play, losses, comeback, late)),
            faults=by_kind(faults),
            figures={
                "waits": size.waits,
                "due a second": round(size.due / size.seconds),
                "clocks wrong by (s)": f"±{WRONG_SECONDS}",
                "Redis lost": len(losses),
                **{f"late, {name} (s)": checker.percentile(late, share) for name, share in SHARES.items()},
                "processes started again": crew.restarts(),
            },
        )


SHARES = {"median": 0.5, "p99": 0.99, "most": 1.0}


def _size(play: Play) -> Size:
    size = SMOKE if play.smoke else FULL
    if play.calm:
        return replace(size, emptied=0, killed=0)
    if play.mutant == "timers.app_clock":
        return replace(size, due=1000, seconds=2, emptied=0, killed=0, patience=8)
    if play.mutant:
        return replace(size, due=1000, lead=3, seconds=1, emptied=1, killed=0, patience=6)
    return size


def _installation(play: Play) -> list[Program]:
    """Two of each who wake people, one ahead of the time and one behind it. Of a mutant those who are ahead."""
    clocks = [WRONG_SECONDS] if play.mutant else [WRONG_SECONDS, -WRONG_SECONDS]
    wrong = [
        _with_a_wrong_clock(program, seconds)
        for number, seconds in enumerate(clocks, start=1)
        for program in (worker("urgent", number), dispatcher(number))
    ]
    return [*wrong, *([] if play.smoke or play.mutant else [worker("housekeeping"), beat()])]


def _with_a_wrong_clock(program: Program, seconds: float) -> Program:
    _, *command = program.command
    return replace(program, command=[PYTHON, "-m", "tests.drills.rig.skewed", str(seconds), *command])


def _lose_redis(scene: Stage, size: Size) -> list[float]:
    """Once before the first wait ends, when no bell is under way that could be for others; then spread over the time
    in which they end. Returns when each loss was, on PostgreSQL's clock (Unix seconds)."""
    count = size.emptied + size.killed
    losses: list[float] = []
    began = time.monotonic() + scene.number(
        "SELECT extract(epoch FROM min(wake_at) - clock_timestamp())::float8 FROM due"
    )
    for number in range(count):
        at = began + (size.seconds * number / count if number else -size.lead / 2)
        time.sleep(max(0.0, at - time.monotonic()))
        losses.append(scene.number("SELECT extract(epoch FROM clock_timestamp())::float8"))
        if number % 2 and number // 2 < size.killed:
            scene.servers.restart_redis()
        else:
            scene.servers.flush_redis()
    return losses


def _ended(scene: Stage) -> int:
    ended: int = scene.number("SELECT count(DISTINCT enrolment_id) FROM ended")
    return ended


@dataclass(frozen=True)
class Comeback:
    """How the index came back after everything was over: the waits that it should know, and does; how long it took."""

    waiting: int
    known: int
    seconds: float


def _comeback(scene: Stage, index: redis.Redis) -> Comeback:
    scene.servers.flush_redis()
    began = time.monotonic()
    scene.wait_until(lambda: bool(index.exists(EPOCH)), 180, every=0.02)
    seconds = time.monotonic() - began
    waiting = scene.number("SELECT count(*) FROM workflow_enrolments WHERE state = 'waiting'")
    known = index.zcard(INDEX)
    assert isinstance(known, int)
    return Comeback(waiting, known, seconds)


def _lateness(scene: Stage) -> list[float]:
    """Seconds from each wake time until what the wait's end brought about was written."""
    query = "SELECT extract(epoch FROM min(e.told) - d.wake_at)::float8 FROM ended e JOIN due d USING (enrolment_id)"
    return [round(seconds, 3) for (seconds,) in scene.rows(f"{query} GROUP BY enrolment_id, d.wake_at")]


def _findings(
    scene: Stage, size: Size, play: Play, losses: list[float], comeback: Comeback | None, late: list[float]
) -> Iterator[Finding]:
    yield no_early(scene)
    yield each_once(scene, size)
    yield checker.journal_is_gapless(scene)
    yield checker.counters_equal_the_journal(scene)
    if losses:
        yield lost_while_they_waited(scene, losses)
    if comeback:
        yield Finding(
            "the index of wake times was rebuilt from PostgreSQL, with every wait",
            holds=comeback.known == comeback.waiting > 0,
            figures={
                "waits": comeback.waiting,
                "in the index": comeback.known,
                "rebuilt in (s)": round(comeback.seconds, 2),
            },
        )
    if play.calm:
        p99 = checker.percentile(late, 0.99)
        yield Finding(
            f"waits end within {IN_TIME_SECONDS:.0f} s at p99",
            holds=p99 is not None and p99 < IN_TIME_SECONDS,
            figures={"seconds": p99},
        )


def no_early(scene: Stage) -> Finding:
    early = scene.rows(
        """
        SELECT e.enrolment_id, extract(epoch FROM d.wake_at - e.began)::float8
          FROM ended e JOIN due d USING (enrolment_id) WHERE e.began < d.wake_at ORDER BY 2 DESC
        """
    )
    return Finding(
        NO_EARLY,
        holds=not early and _ended(scene) > 0,
        figures={"ended": _ended(scene), "early": len(early)},
        counts={"timers": _ended(scene), "early": len(early)},
        examples=first([f"enrolment {row[0]}: {row[1]:.3f} s early" for row in early]),
    )


def each_once(scene: Stage, size: Size) -> Finding:
    due, lost, twice, others = scene.rows(
        """
        SELECT (SELECT count(*) FROM due),
               (SELECT count(*) FROM due WHERE enrolment_id NOT IN (SELECT enrolment_id FROM ended)),
               (SELECT count(*) FROM (SELECT FROM ended GROUP BY enrolment_id HAVING count(*) > 1) AS t),
               (SELECT count(*) FROM ended WHERE enrolment_id NOT IN (SELECT enrolment_id FROM due))
        """
    )[0]
    return Finding(
        EACH_ONCE,
        holds=due == size.due and not lost and not twice and not others,
        figures={"due": due, "lost": lost, "twice": twice, "not due": others},
        counts={"lost": lost, "twice": twice},
    )


def lost_while_they_waited(scene: Stage, losses: list[float]) -> Finding:
    """Zero means nothing if nobody's timer was lost: at each loss, some were due within the next seconds."""
    then = [scene.number("SELECT count(*) FROM due WHERE wake_at > to_timestamp(%s)", [instant]) for instant in losses]
    return Finding(
        "Redis was lost while people waited", holds=any(then), figures={"times": len(then), "waits then": str(then)}
    )
