"""I1, I2, I3, I13 and the first half of I20: what was acknowledged is there, is taken once, and enrols once, however
often and by however many doors it came, while every kind of process is killed, Redis is emptied, dies and stays away,
and PostgreSQL crashes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.drills.nothing_lost import verdicts
from tests.drills.nothing_lost.load import REFUSALS, REFUSES_EVERY, Amount, Batch, Event, batches
from tests.drills.rig import checker, people
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, Program, beat, dispatcher, spawn, web, worker
from tests.drills.rig.record import read_lines
from tests.drills.rig.report import Finding, Run
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan

JOURNEYS = [
    Path(__file__).parents[1] / "journeys" / name for name in ("nothing_lost_once.yaml", "nothing_lost_again.yaml")
]
PRODUCERS = 4
REPEATED = 0.25
AGAIN = 0.2  # the share of the batches that come once more when Redis was emptied
STORM, ONCE_MORE, DARK = "storm", "once-more", "dark"
CHAOS = {
    "": "intake.taken=kill:{killed},intake.matched=kill:{killed},entry.decided=pause:0.1:0.05",
    "intake.forgets_first": "intake.taken=kill:0.6",
    "engine.read_committed": "entry.decided=pause:0.3:0.7",
}
# beside the isolation, what makes a second entry impossible
CONSTRAINTS = (
    "one_active_enrolment_per_contact_workflow_and_key",
    "one_enrolment_ever_per_contact_workflow_and_key",
)
AT_REST = """
SELECT NOT EXISTS (SELECT FROM pending_events)
       AND NOT EXISTS (SELECT FROM workflow_enrolments WHERE finished_at IS NULL)
"""
MATCHED = "SELECT last_value FROM workflow_enrolments_id_seq"


@dataclass(frozen=True)
class Size:
    """`storm` meets the `faults` (how often each), one every `every` seconds; `dark` comes while Redis is away.
    `patience`: how long everything may take to come to rest after either."""

    storm: Amount
    dark: Amount
    load_seconds: float
    faults: Mapping[str, int]
    every: float
    killed: float
    patience: float


FULL = Size(
    storm=Amount(arrivals=30_000, knocking=500, knocks=100, burst=10, per_batch=20),
    dark=Amount(arrivals=1_000, knocking=100, knocks=2, burst=2, per_batch=20),
    load_seconds=180,
    faults={
        "web": 6, "web_child": 12, "worker": 24, "dispatcher": 12, "beat": 6,
        "restart_redis": 3, "flush_redis": 2, "restart_postgres": 1, "terminate_backends": 4,
    },
    every=2.5,
    killed=0.003,
    patience=240,
)  # fmt: skip
SMOKE = Size(
    storm=Amount(arrivals=600, knocking=40, knocks=20, burst=5, per_batch=10),
    dark=Amount(arrivals=40, knocking=10, knocks=2, burst=2, per_batch=10),
    load_seconds=8,
    faults={
        "web": 1, "web_child": 1, "worker": 2, "dispatcher": 1, "beat": 1,
        "restart_redis": 1, "flush_redis": 1, "restart_postgres": 1,
    },
    every=0.9,
    killed=0.01,
    patience=60,
)  # fmt: skip
# no faults: what is built in is enough, and nothing else is to be blamed
MUTANT = Size(
    storm=Amount(arrivals=100, knocking=30, knocks=10, burst=5, per_batch=10),
    dark=SMOKE.dark,
    load_seconds=2,
    faults={},
    every=1,
    killed=0,
    patience=10,
)


class NothingLost:
    name = "nothing_lost"
    has_calm_run = False
    mutants: Mapping[str, tuple[str, ...]] = {
        "dedup_in_redis": (verdicts.IN_THE_LOG,),
        "intake.forgets_first": (verdicts.TAKEN_ONCE,),
        "nobody_sweeps": (verdicts.NOTHING_WAITS,),
        "engine.read_committed": (verdicts.ONE_ENROLMENT,),
    }

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        for journey in JOURNEYS:
            manage(env, "import_workflow", str(journey), "--publish")
        self._keys = {
            "key": manage(env, "create_api_key", "--name", "drill", "--scopes", "events:write").strip(),
            "write_key": manage(env, "create_write_key", "--name", "drill", "--kind", "server").strip(),
        }
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, _known(smoke=smoke))
            connection.execute(REFUSALS, [REFUSES_EVERY])

    def settings(self, play: Play) -> dict[str, str]:
        chaos = CHAOS.get(play.mutant, "on").format(killed=_size(play).killed)
        return {"CARILLON_CHAOS": f"{chaos};seed={play.seed}"}

    def plan(self, play: Play) -> StubPlan:
        """Nobody is written to."""
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size, dice = _size(play), random.Random(f"{play.seed}:batches")
        if play.mutant == "engine.read_committed":
            with scene.servers.connect(scene.database) as connection:
                for name in CONSTRAINTS:
                    connection.execute(f"DROP INDEX {name}")
        crew = scene.start(_installation(scene.web_port, whole=not play.mutant))
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=size.faults,
            every=size.every,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=lambda: int(scene.number(MATCHED)),
            counted=True,
        )
        nemesis.start()
        storm: list[Batch] = []
        if play.mutant != "nobody_sweeps":
            storm = batches(size.storm, dice, STORM)
            self._bring(scene, STORM, storm, play, seconds=size.load_seconds)
        scene.wait_until(lambda: nemesis.is_through, size.every * sum(size.faults.values()) * 2)
        nemesis.stop()
        rested = [_comes_to_rest(scene, size)]
        # what the storm left out: keys that come again when Redis has forgotten all, and events while it is away
        if play.mutant in {"", "dedup_in_redis"}:
            scene.servers.flush_redis()
            self._bring(scene, ONCE_MORE, [batch for batch in storm if dice.random() < AGAIN], play)
        dark: list[Batch] = []
        if play.mutant in {"", "nobody_sweeps"}:
            dark = batches(size.dark, dice, DARK)
            with scene.servers.without_redis():
                self._bring(scene, DARK, dark, play)
            rested.append(_comes_to_rest(scene, size))
        faults = nemesis.collect()
        crew.stop()
        events = {event.key: event for batch in [*storm, *dark] for event in batch.events}
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene, play, events)),
            faults=by_kind(faults),
            figures={
                "processes started again": crew.restarts(),
                "came to rest, s after the storm, and with Redis again": ", ".join(rested),
            },
        )

    def _bring(self, scene: Stage, name: str, brought: Sequence[Batch], play: Play, *, seconds: float = 0) -> None:
        """Returns once all of it was acknowledged."""
        home = scene.directory / name
        home.mkdir()
        job = {
            **self._keys,
            "base_url": scene.base_url,
            "producers": PRODUCERS,
            "pause": seconds * PRODUCERS / len(brought),
            "repeat": REPEATED,
            "seed": f"{play.seed}:{name}",
        }
        (home / "batches.jsonl").write_text("".join(json.dumps(batch.as_row()) + "\n" for batch in brought))
        (home / "job.json").write_text(json.dumps(job))
        with (home / "producers.log").open("ab") as log:
            load = spawn([PYTHON, "-m", "tests.drills.rig.producers", str(home)], stdout=log, stderr=log)
        if load.wait(seconds * 10 + 300):
            raise RuntimeError(f"the producers failed; see {home / 'producers.log'}")


def _size(play: Play) -> Size:
    if play.mutant:
        return MUTANT
    return SMOKE if play.smoke else FULL


def _known(*, smoke: bool) -> int:
    """The template is the same for all runs."""
    return (SMOKE if smoke else FULL).storm.known


def _installation(web_port: int, *, whole: bool) -> list[Program]:
    """Who takes events and leads people through journeys; of the product several, and whoever does so now and then."""
    several = [worker("urgent", 2), worker("housekeeping"), dispatcher(2), beat()]
    return [web(web_port), worker("urgent"), worker("bulk"), dispatcher(), *(several if whole else [])]


def _comes_to_rest(scene: Stage, size: Size) -> str:
    """How long it took, for reading."""
    began = time.monotonic()
    came = scene.wait_until(lambda: scene.number(AT_REST), size.patience)
    return f"{time.monotonic() - began:.1f}" if came else f"not within {size.patience:.0f}"


def _findings(scene: Stage, play: Play, events: Mapping[str, Event]) -> list[Finding]:
    with scene.servers.connect(scene.database) as connection:
        connection.execute("ANALYZE")  # tables that were empty when it was last looked at
    acks = [ack for name in (STORM, ONCE_MORE, DARK) for ack in read_lines(scene.directory / name / "acks.jsonl")]
    known = _known(smoke=play.smoke)
    findings = [
        verdicts.in_the_log(scene, events, acks),
        verdicts.taken_once(scene, events, acks, known),
        verdicts.one_enrolment(scene, events, acks, known),
        verdicts.held(scene, events, known),
        verdicts.nothing_waits(scene),
    ]
    if not play.mutant:
        findings += [
            verdicts.stood_in_the_fire(scene, acks),
            checker.journal_is_gapless(scene),
            checker.counters_equal_the_journal(scene),
            checker.books_balance(scene),
        ]
    return findings
