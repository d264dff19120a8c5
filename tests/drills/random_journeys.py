"""I4, I5 and I21: journeys made by chance, of which new versions are published all the time, while workers and
dispatchers are killed, Redis is emptied and every doorbell rings too often. Everybody who was told to begin did, every
way leads from step to step by the definition that the enrolment entered with, and all of them come to an end.

What a single person's way should be is the in-process test's (`tests/workflows/test_random_journeys.py`): here time is
real, and an event may come before or after a deadline."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.drills.rig import checker, people, random_publishing
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, ROOT, spawn, whole_installation, worker
from tests.drills.rig.record import read_lines
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage
from tests.drills.rig.stub_plan import StubPlan
from tests.workflows.random_journeys import making
from tests.workflows.random_journeys.ways import End, Row, fault_in

CLIENTS = 4
WORKFLOWS = 6
SEED = 7  # of the definitions: the drill's own seed plans the load and the faults
PER_REQUEST = 20
VERSIONS = "SELECT count(*) FROM workflow_versions"
RIGHT_WAYS = "every way leads from step to step, none twice, none skipped"
ENTRY_VERSION = "every step was run by the version that the enrolment entered with"
BELLS = [
    (task, lane)
    for task in ("workflows.intake", "workflows.advance", "workflows.look_again", "workflows.admit")
    for lane in ("urgent", "bulk")
]
FAULTS = {"worker": 4.0, "dispatcher": 2.0, "web_child": 0.5, "flush_redis": 1.5, "terminate_backends": 0.5}
FAULT_EVERY = 0.7  # seconds
CHAOS = (
    "engine.claimed=pause:0.05:0.1,engine.applied=kill:0.003,intake.matched=kill:0.003,looking.locked=kill:0.003,"
    "dispatcher.claimed=kill:0.01;seed={seed}"
)


@dataclass(frozen=True)
class Size:
    people: int
    seconds: float
    publish_every: float
    patience: float


FULL = Size(people=2000, seconds=60, publish_every=0.5, patience=120)
SMOKE = Size(people=100, seconds=5, publish_every=0.2, patience=30)
MUTANT = Size(people=80, seconds=5, publish_every=0.2, patience=5)


class RandomJourneys:
    name = "random_journeys"
    has_calm_run = False
    mutants: Mapping[str, tuple[str, ...]] = {
        "engine.no_claim": (checker.APPLIED_ONCE, RIGHT_WAYS),
        "engine.live_version": (ENTRY_VERSION,),
    }

    def __init__(self) -> None:
        self._key = ""

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        subprocess.run(_publisher("once"), cwd=ROOT, env=dict(env), check=True)
        key = [PYTHON, "manage.py", "create_api_key", "--name", "drill", "--scopes", "events:write"]
        self._key = subprocess.run(
            key, cwd=ROOT, env=dict(env), check=True, capture_output=True, text=True
        ).stdout.strip()
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)
            connection.execute(
                "UPDATE contacts"
                " SET attributes = attributes || jsonb_build_object('colour', (%s::text[])[1 + id %% 3])",
                [list(making.COLOURS)],
            )

    def settings(self, play: Play) -> dict[str, str]:
        return {"CARILLON_CHAOS": CHAOS.format(seed=play.seed), "TIME_SPEED": "2"}

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size = MUTANT if play.mutant else SMOKE if play.smoke else FULL
        crew = scene.start([*whole_installation(scene.web_port, senders=0), worker("bulk", 1), worker("bulk", 2)])
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=FAULT_EVERY,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=lambda: int(scene.number("SELECT COALESCE(sum(seq), 0) FROM workflow_enrolments")),
        )
        bells = TooManyBells(scene.servers, BELLS, times=2, every=0.3)
        with (scene.directory / "publisher.log").open("ab") as log:
            publisher = spawn(_publisher(str(size.publish_every)), stdout=log, stderr=log, env=scene.env)
        if not scene.wait_until(lambda: scene.number(VERSIONS) > WORKFLOWS, 30):
            raise RuntimeError(f"nothing was published; see {scene.directory / 'publisher.log'}")
        load = self._send(scene, size, play.seed)
        nemesis.start()
        bells.start()
        if load.wait(size.seconds * 5 + 120):
            raise RuntimeError(f"the clients failed; see {scene.directory / 'clients.log'}")
        nemesis.stop()
        publisher.terminate()
        publisher.wait(30)
        came_to_rest = scene.wait_until(lambda: _is_at_rest(scene), size.patience)
        faults = nemesis.collect()
        bells.stop()
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene)),
            faults=by_kind(faults),
            figures={
                "doorbells rung too often": bells.rung,
                "processes started again": crew.restarts(),
                "came to rest": "yes" if came_to_rest else f"not within {size.patience:.0f} s",
            },
        )

    def _send(self, scene: Stage, size: Size, seed: int) -> subprocess.Popen[bytes]:
        events = list(_events(random.Random(f"{seed}:events"), size.people))
        requests = [{"events": events[start : start + PER_REQUEST]} for start in range(0, len(events), PER_REQUEST)]
        pause = size.seconds * CLIENTS / len(requests)
        job = {"base_url": scene.base_url, "key": self._key, "workers": CLIENTS, "pause": pause, "repeat": 0.25}
        (scene.directory / "events.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
        (scene.directory / "events_job.json").write_text(json.dumps(job | {"seed": seed}))
        with (scene.directory / "clients.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.clients", str(scene.directory)]
            return spawn(command, stdout=log, stderr=log)


def _publisher(every: str) -> list[str]:
    return [PYTHON, "-m", "tests.drills.rig.random_publishing", str(SEED), str(WORKFLOWS), every]


def _events(dice: random.Random, size: int) -> Iterator[dict[str, Any]]:
    """Of everybody: the beginning of two journeys, and what journeys wait for, in random order."""
    wanted: list[tuple[int, str]] = []
    for person in range(1, size + 1):
        wanted += [(person, random_publishing.trigger(number)) for number in dice.sample(range(WORKFLOWS), 2)]
        wanted += [(person, dice.choice([*making.AWAITED, making.GOAL])) for _ in range(3)]
    dice.shuffle(wanted)
    for number, (person, event_type) in enumerate(wanted):
        contact = {"external_id": people.external_id(person)}
        yield {"event_id": f"{event_type}:{person}:{number}", "type": event_type, "contact": contact}


def _is_at_rest(scene: Stage) -> bool:
    return not scene.number(
        """
        SELECT (SELECT count(*) FROM pending_events) + (SELECT count(*) FROM watch_checks)
               + (SELECT count(*) FROM workflow_enrolments WHERE finished_at IS NULL)
        """
    )


def _findings(scene: Stage) -> Iterator[Finding]:
    yield _everybody_began(scene)
    yield _all_finished(scene)
    yield checker.journal_is_gapless(scene)
    yield _ways(scene)
    yield from _versions(scene)
    yield checker.counters_equal_the_journal(scene)
    yield checker.books_balance(scene)


def _everybody_began(scene: Stage) -> Finding:
    """Whoever was acknowledged to begin a journey entered it once at least, or its reason not to is written down."""
    acknowledged = {key for ack in read_lines(scene.directory / "events_acks.jsonl") for key in ack["keys"]}
    told = {
        (random_publishing.slug(number), int(key.split(":")[1]))
        for number in range(WORKFLOWS)
        for key in acknowledged
        if key.startswith(f"{random_publishing.trigger(number)}:")
    }
    known = set(
        scene.rows(
            """
            SELECT w.slug, e.contact_id FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
             UNION SELECT w.slug, r.contact_id FROM entry_refusals r JOIN workflows w ON w.id = r.workflow_id
            """
        )
    )
    lost = sorted(told - known)
    return Finding(
        "whoever was told to begin began, or was refused for a reason",
        holds=bool(told) and not lost,
        figures={"told": len(told), "lost": len(lost)},
        examples=first([f"contact {person} in {slug}" for slug, person in lost]),
        counts={"acknowledged": len(told), "processed": len(told & known), "lost": len(lost)},
    )


def _all_finished(scene: Stage) -> Finding:
    states = dict(scene.rows("SELECT state, count(*) FROM workflow_enrolments GROUP BY state ORDER BY state"))
    return Finding(
        "every enrolment finished, and none failed",
        holds=bool(states) and states.keys() <= {"completed", "exited"},
        figures=states,
    )


def _ways(scene: Stage) -> Finding:
    definitions: dict[int, Any] = dict(scene.rows("SELECT id, definition FROM workflow_versions"))
    rows: dict[int, list[Row]] = {}
    for enrolment_id, *row in scene.rows(
        "SELECT enrolment_id, seq, step, outcome, port FROM workflow_journal ORDER BY enrolment_id, seq"
    ):
        rows.setdefault(enrolment_id, []).append(Row(*row))
    wrong = []
    for enrolment_id, version_id, *end in scene.rows(
        "SELECT id, version_id, state, step, seq FROM workflow_enrolments ORDER BY id"
    ):
        if fault := fault_in(definitions[version_id], rows.get(enrolment_id, []), End(*end)):
            wrong.append(f"enrolment {enrolment_id}: {fault}")
    return Finding(
        RIGHT_WAYS,
        holds=bool(rows) and not wrong,
        figures={"ways": len(rows), "rows": sum(map(len, rows.values())), "wrong": len(wrong)},
        examples=first(wrong),
    )


def _versions(scene: Stage) -> Iterator[Finding]:
    """And some were under way when the next version of their journey was published: else nobody stood in the fire."""
    wrong = scene.rows(
        """
        SELECT e.id, j.seq FROM workflow_enrolments e JOIN workflow_journal j ON j.enrolment_id = e.id
         WHERE j.version_id <> e.version_id ORDER BY 1, 2
        """
    )
    across = scene.number(
        """
        SELECT count(*) FROM workflow_enrolments e JOIN workflow_versions v ON v.id = e.version_id
          JOIN workflow_versions n ON n.workflow_id = v.workflow_id AND n.number = v.number + 1
         WHERE n.published_at > e.entered_at AND EXISTS (
               SELECT FROM workflow_journal j WHERE j.enrolment_id = e.id AND j.at > n.published_at)
        """
    )
    yield Finding(
        ENTRY_VERSION,
        holds=not wrong,
        figures={"steps by another version": len(wrong)},
        examples=first([f"enrolment {enrolment_id}, row {seq}" for enrolment_id, seq in wrong]),
    )
    yield Finding(
        "some were under way while the next version was published",
        holds=across > 0,
        figures={"versions": scene.number(VERSIONS), "enrolments": across},
    )
