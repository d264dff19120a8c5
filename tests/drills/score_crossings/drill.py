"""Every crossing of a threshold exactly once, true, and none missed, by events, by time alone and by new rules, while
workers, dispatchers and web are killed, connections are cut, Redis is emptied and every doorbell rings too often."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.drills.rig import people
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import PATIENCE, Fault, Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, dispatcher, spawn, web, worker
from tests.drills.rig.record import read_lines
from tests.drills.rig.report import Finding, Run
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan
from tests.drills.score_crossings import causes, evidence, judging, rules
from tests.drills.score_crossings.monitor import Monitor

JOURNEY = Path(__file__).parents[1] / "journeys" / "score_crossings.yaml"
CLIENTS = 4
BEHIND = 3  # so many groups of people come between the two requests about one of them
ATTEMPT_SECONDS = 15  # of one request that activates rules
BELLS = [("scoring.check", "urgent"), ("scoring.check", "bulk")]
FAULTS = {"worker": 2.0, "dispatcher": 1.0, "web_child": 0.5, "flush_redis": 1.5, "terminate_backends": 1.0}
CHAOS = {
    "": "scoring.compared=pause:0.15:0.1,scoring.told=kill:{killed}",
    "evaluate_only_on_events": "on",
    "check_takes_no_lock": "scoring.compared=pause:0.5:1.0",
}
# who is a customer already does not become a lead again
STAGES = """
INSERT INTO lifecycle_events (contact_id, from_stage, to_stage, reason, source, occurred_at)
SELECT id, '', CASE id % 5 WHEN 0 THEN 'customer' ELSE 'lead' END, '', 'admin', now() FROM contacts WHERE id % 5 < 2
"""
RECHECKED = "SELECT NOT EXISTS (SELECT FROM scoring_rulesets WHERE recheck_after IS NOT NULL)"
# what is armed for some day is not to be waited for
AT_REST = """
SELECT NOT EXISTS (SELECT FROM score_checks WHERE check_at < now() + interval '1 hour')
       AND NOT EXISTS (SELECT FROM scoring_rulesets WHERE recheck_after IS NOT NULL)
       AND NOT EXISTS (SELECT FROM pending_events)
       AND NOT EXISTS (SELECT FROM workflow_enrolments WHERE finished_at IS NULL)
"""


@dataclass(frozen=True)
class Size:
    """Twice in each round everybody does something. `activations` of other rules lie between, evenly. `patience`: how
    long after the load everything may take to come to rest; `rest` is how long time may do its work at least."""

    people: int
    rounds: int
    per_request: int
    load_seconds: float
    activations: int
    fault_every: float
    killed: float
    judged: int
    rest: float
    patience: float


FULL = Size(5000, 4, 50, 120, 3, fault_every=1.5, killed=0.003, judged=1000, rest=5, patience=300)
CALM = replace(FULL, load_seconds=60, fault_every=0, killed=0)  # how long urgent events wait beside a recheck
SMOKE = Size(400, 3, 20, 7, 1, fault_every=1.0, killed=0.01, judged=400, rest=3, patience=180)
# no faults: what is built in is enough, and nothing else is to be blamed
MUTANT = Size(400, 1, 10, 4, 0, fault_every=0, killed=0, judged=400, rest=3, patience=2)


class ScoreCrossings:
    name = "score_crossings"
    has_calm_run = True
    mutants: Mapping[str, tuple[str, ...]] = {
        "evaluate_only_on_events": (judging.AT_REST,),
        "check_takes_no_lock": (judging.AT_REST, judging.ONCE),
    }

    def __init__(self) -> None:
        self._key = ""

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")  # so that there is something to count
        self._key = manage(env, "create_api_key", "--name", "drill", "--scopes", "admin").strip()
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)
            connection.execute(STAGES)
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        servers.restart_postgres()

    def settings(self, play: Play) -> dict[str, str]:
        chaos = "on" if play.calm else CHAOS[play.mutant].format(killed=_size(play).killed)
        return {"CARILLON_CHAOS": f"{chaos};seed={play.seed}"}

    def plan(self, play: Play) -> StubPlan:
        """Nobody is written to."""
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size, titles = _size(play), list(rules.VERSIONS)
        several = [] if play.mutant else [worker("urgent", 2)]
        crew = scene.start([web(scene.web_port), worker("urgent"), *several, worker("bulk"), dispatcher()])
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=size.fault_every or 1,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=lambda: int(scene.number("SELECT count(*) FROM score_crossings")),
        )
        bells = TooManyBells(scene.servers, BELLS, times=2, every=0.3)
        monitor = Monitor(scene)
        took = self._activate(scene, titles[0])
        scene.wait_until(lambda: scene.number(RECHECKED), 60)
        monitor.start()
        requests = list(_requests(size, random.Random(f"{play.seed}:events")))
        load = self._start_load(scene, size, requests, play.seed)
        if not play.calm:
            bells.start()
        if size.fault_every:
            nemesis.start()
        for number in range(1, size.activations + 1):
            enough = partial(_have_answered, scene, len(requests) * number // (size.activations + 1))
            scene.wait_until(enough, size.load_seconds * 10)
            took = max(took, self._activate(scene, titles[number % len(titles)]))
        if load.wait(size.load_seconds * 10 + 120):
            raise RuntimeError(f"the clients failed; see {scene.directory / 'clients.log'}")
        loaded = time.monotonic()
        nemesis.stop()
        if not play.calm:
            bells.stop()
        scene.wait_until(lambda: False, size.rest)
        came_to_rest = scene.wait_until(lambda: scene.number(AT_REST), size.patience)
        # what is not committed yet nobody can have looked at, and a request lasts no less than its transaction
        outage = monitor.longest_outage()
        grace = 2 + outage + max([took, *(ack["acked_at"] - ack["sent_at"] for ack in _acks(scene))])
        if not play.mutant:  # so that there are stretches of time that are longer
            scene.wait_until(lambda: time.monotonic() > loaded + grace + 1, grace + 2)
        seen = evidence.read(scene)
        monitor.stop()
        faults = nemesis.collect()
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene, play, seen, grace, came_to_rest=came_to_rest)),
            faults=by_kind(faults),
            figures={
                "longest that anybody was due, s": round(outage, 2),
                "events": sum(len(person.events) for person in seen.people.values()),
                "doorbells rung too often": bells.rung,
                "processes started again": crew.restarts(),
                **causes.latencies(
                    seen, [monitor.recheck_after(version.at) for version in seen.versions[1:]], _spans(faults)
                ),
            },
        )

    def _start_load(
        self, scene: Stage, size: Size, requests: list[dict[str, Any]], seed: int
    ) -> subprocess.Popen[bytes]:
        pause = size.load_seconds * CLIENTS / len(requests)
        job = {"base_url": scene.base_url, "key": self._key, "workers": CLIENTS, "pause": pause, "repeat": 0.1}
        (scene.directory / "events.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
        (scene.directory / "events_job.json").write_text(json.dumps(job | {"seed": seed}))
        with (scene.directory / "clients.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.clients", str(scene.directory)]
            return spawn(command, stdout=log, stderr=log)

    def _activate(self, scene: Stage, title: str) -> float:
        """Make the rules of that title the active ones; returns how long the request took that was answered. One whose
        answer was lost may have activated them, too: then they are activated twice."""
        request = urllib.request.Request(
            f"{scene.base_url}/api/v1/scoring/rulesets/",
            data=json.dumps(rules.document(title)).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        for _ in range(100):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(request, timeout=ATTEMPT_SECONDS):
                    return time.monotonic() - began
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"the rules {title!r} could not be activated")


def _size(play: Play) -> Size:
    if play.mutant:
        return MUTANT
    return SMOKE if play.smoke else CALM if play.calm else FULL


def _findings(
    scene: Stage, play: Play, seen: evidence.Evidence, grace: float, *, came_to_rest: bool
) -> Iterator[Finding]:
    yield judging.once(seen)
    yield judging.true(seen)
    yield judging.at_rest(seen)
    yield judging.told(seen)
    yield judging.moved(seen)
    yield judging.entered(seen)
    if not play.mutant:
        yield judging.in_time(seen, grace=grace, most=_size(play).judged)
        yield judging.same(seen, scene.env)
        yield causes.stood_in_the_fire(seen)
        yield Finding("once nothing more happened, everything that was due was done", holds=came_to_rest)


def _spans(faults: list[Fault]) -> list[evidence.Span]:
    """From each fault to its mending, by the clock of the database."""
    ahead = time.time() - time.monotonic()
    instants = [(fault.at + ahead, fault.at + ahead + (fault.mended_after or PATIENCE)) for fault in faults]
    return [(round(start * rules.SECOND), round(end * rules.SECOND)) for start, end in instants]


def _acks(scene: Stage) -> list[dict[str, Any]]:
    return read_lines(scene.directory / "events_acks.jsonl")


def _have_answered(scene: Stage, requests: int) -> bool:
    return len({ack["request"] for ack in _acks(scene)}) >= requests


def _requests(size: Size, dice: random.Random) -> Iterator[dict[str, Any]]:
    """In each round two requests about the same people, the second one soon after the first: it meets the checks that
    the first one asked for. In the last round it is then that every fourth person signs up: a check that is lost there
    is made good by no later one. One request in five goes by the bulk lane."""
    serial = itertools.count(1)
    for left in range(size.rounds)[::-1]:
        everybody = dice.sample(range(1, size.people + 1), size.people)
        groups = [everybody[start : start + size.per_request] for start in range(0, size.people, size.per_request)]
        sooner: list[list[int]] = [*groups, *([[]] * BEHIND)]
        later: list[list[int]] = [*([[]] * BEHIND), *groups]
        for pair in zip(sooner, later, strict=True):
            for is_later, group in enumerate(pair):
                if group:
                    lane = "bulk" if dice.random() < 0.2 else "urgent"
                    types = [_type(n, dice, is_end=not left and bool(is_later)) for n in group]
                    events = [_event(next(serial), n, type_, lane) for n, type_ in zip(group, types, strict=True)]
                    yield {"events": events, "lane": lane}


def _type(n: int, dice: random.Random, *, is_end: bool) -> str:
    """Every fourth person signs up at the very end."""
    if n % 4:
        return dice.choices(list(rules.HAPPENS), list(rules.HAPPENS.values()))[0]
    return rules.SIGNED_UP if is_end else dice.choice([rules.WATCHED, rules.COMPLAINED, rules.DOWNLOADED])


def _event(serial: int, n: int, type_: str, lane: str) -> dict[str, Any]:
    return {
        "event_id": f"e{serial}",
        "type": type_,
        "contact": {"external_id": people.external_id(n)},
        "properties": {"key": f"e{serial}", "lane": lane},
    }
