"""I4: no step happens twice and none is skipped, while workers, dispatchers and web are killed, connections are cut,
Redis is emptied, and every doorbell rings too often."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drills.rig import checker, people
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, spawn, whole_installation
from tests.drills.rig.record import read_lines
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan

JOURNEY = Path(__file__).parent / "journeys" / "no_step_twice.yaml"
WAITS_SECONDS = 4.0  # the journey's own waits, and a little: until then faults meet somebody under way
CLIENTS = 4
TOOK_THEIR_WAY = "everybody took exactly the steps of their way, in order"
BELLS = [("workflows.intake", "urgent"), ("workflows.advance", "urgent"), ("delivery.deliver", "delivery_urgent")]
FAULTS = {
    "worker": 4.0,
    "sender": 2.0,
    "dispatcher": 2.0,
    "web": 0.5,
    "web_child": 1.0,
    "flush_redis": 1.5,
    "terminate_backends": 0.5,
    "restart_redis": 0.5,
    "restart_postgres": 0.5,
}
FAULT_EVERY = 0.5  # seconds
CHAOS = "engine.claimed=pause:0.05:0.2,engine.applied=kill:0.003,intake.matched=kill:0.003;seed={seed}"


@dataclass(frozen=True)
class Size:
    """`load_seconds`: the triggers are spread over so long, so that faults meet every stage of the journey.
    `patience`: how long after the last fault everything may take to come to rest."""

    people: int
    per_request: int
    load_seconds: float
    patience: float


FULL = Size(people=5000, per_request=25, load_seconds=60, patience=120)
SMOKE = Size(people=400, per_request=10, load_seconds=5, patience=30)
MUTANT = Size(people=200, per_request=10, load_seconds=3, patience=10)


class NoStepTwice:
    name = "no_step_twice"
    has_calm_run = False
    mutants: Mapping[str, tuple[str, ...]] = {"engine.no_claim": (checker.APPLIED_ONCE, TOOK_THEIR_WAY)}

    def __init__(self) -> None:
        self._key = ""

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        self._key = manage(env, "create_api_key", "--name", "drill", "--scopes", "events:write").strip()
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)

    def settings(self, play: Play) -> dict[str, str]:
        return {
            "CARILLON_CHAOS": CHAOS.format(seed=play.seed),
            "ESP_RATE_LIMIT": "5000",
            "ESP_TIMEOUT_SECONDS": "3",
            "ESP_BACKOFF_MS": "200",
        }

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(
            seed=play.seed,
            latency_ms=(5, 80),
            too_many=0.01,
            server_error=0.01,
            unavailable=0.01,
            reset=0.01,
            feedback=1.0,
        )

    def play(self, scene: Stage, play: Play) -> Run:
        size = _size(play)
        crew = scene.start(whole_installation(scene.web_port))
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=FAULT_EVERY,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=scene.progress,
        )
        bells = TooManyBells(scene.servers, BELLS, times=3, every=0.3)
        load = self._start_load(scene, size, play.seed)
        nemesis.start()
        bells.start()
        if load.wait(size.load_seconds + 120):
            raise RuntimeError(f"the clients failed; see {scene.directory / 'clients.log'}")
        scene.wait_until(lambda: False, WAITS_SECONDS)
        nemesis.stop()
        came_to_rest = scene.wait_until(lambda: self._is_at_rest(scene, size), size.patience)
        faults = nemesis.collect()
        bells.stop()
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(self._findings(scene)),
            faults=by_kind(faults),
            figures={
                "doorbells rung too often": bells.rung,
                "processes started again": crew.restarts(),
                "came to rest": "yes" if came_to_rest else f"not within {size.patience:.0f} s",
            },
        )

    def _start_load(self, scene: Stage, size: Size, seed: int) -> subprocess.Popen[bytes]:
        requests = [
            {"events": [_trigger(n) for n in range(start, min(start + size.per_request, size.people + 1))]}
            for start in range(1, size.people + 1, size.per_request)
        ]
        pause = size.load_seconds * CLIENTS / len(requests)
        job = {"base_url": scene.base_url, "key": self._key, "workers": CLIENTS, "pause": pause, "repeat": 0.25}
        (scene.directory / "events.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
        (scene.directory / "events_job.json").write_text(json.dumps(job | {"seed": seed}))
        with (scene.directory / "clients.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.clients", str(scene.directory)]
            return spawn(command, stdout=log, stderr=log)

    def _is_at_rest(self, scene: Stage, size: Size) -> bool:
        open_work, finished = scene.rows(
            """
            SELECT (SELECT count(*) FROM pending_events) + (SELECT count(*) FROM outbox WHERE state <> 'in_doubt')
                   + (SELECT count(*) FROM webhook_inbox WHERE folded_at IS NULL),
                   (SELECT count(*) FROM workflow_enrolments WHERE finished_at IS NOT NULL)
            """
        )[0]
        return finished == size.people and not open_work and not scene.ask_stub()["webhooks_open"]

    def _findings(self, scene: Stage) -> list[Finding]:
        requests = checker.requests_of(scene)
        acknowledged = {key for ack in read_lines(scene.directory / "events_acks.jsonl") for key in ack["keys"]}
        return [
            checker.everybody_finished(scene, len(acknowledged)),
            checker.journal_is_gapless(scene),
            took_their_way(scene),
            checker.counters_equal_the_journal(scene),
            checker.one_message_per_step(scene),
            tagged_once(scene),
            checker.nothing_sent_twice(requests),
            checker.ledger_agrees_with_the_esp(scene, requests),
            checker.books_balance(scene),
        ]


def _size(play: Play) -> Size:
    if play.mutant:
        return MUTANT
    return SMOKE if play.smoke else FULL


def _trigger(n: int) -> dict[str, Any]:
    return {"event_id": f"trigger-{n}", "type": "drill_started", "contact": {"external_id": people.external_id(n)}}


def way_of(n: int) -> list[str]:
    """What the journal of person `n` must say, step:outcome:port, computed here from the journey and the person."""
    pro = people.plan_of(n) == "pro"
    home = people.country_of(n) in {"DE", "FR"}
    way = [
        f"plan:advanced:{'pro' if pro else 'else'}",
        f"{'mark_pro' if pro else 'mark_free'}:advanced:next",
        "settle:waiting:",
        "settle:advanced:next",
        "first:advanced:next",
        "rest:waiting:",
        "rest:advanced:next",
        f"country:advanced:{'home' if home else 'else'}",
    ]
    return way + (["second:advanced:next", "finished:advanced:next"] if home else ["elsewhere:left:"])


def took_their_way(scene: Stage) -> Finding:
    """No step skipped, none repeated, none out of order."""
    walked = scene.rows(
        """
        SELECT contact_id, array_agg(step || ':' || outcome || ':' || port ORDER BY seq)
          FROM workflow_journal GROUP BY enrolment_id, contact_id
        """
    )
    astray = [n for n, way in walked if way != way_of(n)]
    return Finding(
        TOOK_THEIR_WAY,
        holds=bool(walked) and not astray,
        figures={"enrolments": len(walked), "steps": sum(len(way) for _, way in walked), "astray": len(astray)},
        examples=first([f"contact {n}" for n in astray]),
    )


def tagged_once(scene: Stage) -> Finding:
    """The tag, its change log entry and its event: each once."""
    expected = sum(2 if "finished:advanced:next" in way_of(n) else 1 for (n,) in _entered(scene))
    tags = scene.number("SELECT count(*) FROM contact_tags")
    changes = scene.number("SELECT count(*) FROM contact_changes WHERE kind = 'tag'")
    events = scene.number("SELECT count(*) FROM contact_events WHERE type = 'tag_added'")
    return Finding(
        "every tag was added, logged and told once",
        holds=expected == tags == changes == events,
        figures={"expected": expected, "tags": tags, "logged": changes, "told": events},
    )


def _entered(scene: Stage) -> list[tuple[Any, ...]]:
    return scene.rows("SELECT contact_id FROM workflow_enrolments")
