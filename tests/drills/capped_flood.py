"""I5, I19: half a million people are triggered, as fast as they are taken, into a workflow in which five hundred may be
active at once, and 100,000 while workers are killed. Nobody is lost, the cap is never exceeded, and whoever signs up
meanwhile is welcomed at once."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.drills.rig import checker, nemesis, people
from tests.drills.rig.drill import Play
from tests.drills.rig.processes import PYTHON, Program, beat, dispatcher, spawn, web, worker
from tests.drills.rig.record import read_lines
from tests.drills.rig.report import Finding, Run
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan

JOURNEYS = Path(__file__).parent / "journeys"
CAP = 500
LOOK_EVERY = 0.02  # seconds
SIGN_UPS_A_SECOND = 10
WELCOMED_WITHIN = 2.0  # seconds, at p99
WITHIN_THE_CAP = "the cap is never exceeded"
# Admission is held up between counting the places and taking them: two who do both at once would be seen. Workers are
# killed there, and where the engine has moved a batch.
CHAOS = "admission.counted=pause:0.08:0.5+kill:0.01,engine.applied=kill:0.01;seed={seed}"
# There are few admissions in so small a flood: while one is held up, the other worker has to have time to come by.
MUTANT_CHAOS = "admission.counted=pause:1:0.8;seed={seed}"


@dataclass(frozen=True)
class Size:
    """`people` are triggered within `seconds`, `per_request` at a time, and somebody signs up every now and then for
    `signing_up` seconds; `patience` is how long it may take until the last of them is through, and at least
    `least_kills` workers have to die meanwhile."""

    people: int
    per_request: int
    seconds: float
    signing_up: float
    patience: float
    least_kills: int = 0

    @property
    def sign_ups(self) -> int:
        return round(self.signing_up * SIGN_UPS_A_SECOND)


FULL = Size(people=500_000, per_request=1000, seconds=60, signing_up=180, patience=1200)
KILLED = Size(people=100_000, per_request=1000, seconds=12, signing_up=60, patience=600, least_kills=5)
SMOKE = Size(people=5_000, per_request=250, seconds=4, signing_up=4, patience=40)
MUTANT = Size(people=4_000, per_request=250, seconds=2, signing_up=2, patience=10)
CLIENTS = 4


@dataclass
class Looks:
    """What was seen of the places while it went on."""

    count: int = 0
    most: int = 0
    over: list[int] = field(default_factory=list)


class CappedFlood:
    name = "capped_flood"
    has_calm_run = True  # for the sign-ups' time, on a machine that does nothing else
    mutants: Mapping[str, tuple[str, ...]] = {"admission.no_lock": (WITHIN_THE_CAP,)}

    def __init__(self) -> None:
        self._key = ""

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        for journey in ("capped_flood", "capped_flood_sign_ups"):
            manage(env, "import_workflow", str(JOURNEYS / f"{journey}.yaml"), "--publish")
        self._key = manage(env, "create_api_key", "--name", "drill", "--scopes", "events:write").strip()
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)
            connection.execute("VACUUM ANALYZE contacts, contact_identities")

    def settings(self, play: Play) -> dict[str, str]:
        chaos = MUTANT_CHAOS if play.mutant else CHAOS
        return {} if play.calm else {"CARILLON_CHAOS": chaos.format(seed=play.seed)}

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size = _size(play)
        crew = scene.start(_installation(scene.web_port))
        with _looking(scene) as looks:
            sign_ups = self._send(scene, "sign_ups", list(_sign_ups(size)), workers=1, seconds=size.signing_up, seed=0)
            flood = self._send(
                scene, "flood", list(_flood(size)), workers=CLIENTS, seconds=size.seconds, seed=play.seed
            )
            for load in (flood, sign_ups):
                if load.wait(size.signing_up * 5 + 120):
                    raise RuntimeError(f"the clients failed; see {scene.directory}")
            came_to_rest = scene.wait_until(lambda: _is_at_rest(scene, size), size.patience, every=0.5)
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=(
                *self._findings(scene, size, looks, timed=play.calm),
                *([_many_were_killed(size, crew.restarts())] if size.least_kills else []),
            ),
            faults=nemesis.at_points(crew.restarts()),
            figures={
                **_times(scene),
                "most who were active at once": looks.most,
                "came to rest": "yes" if came_to_rest else f"not within {size.patience:.0f} s",
            },
        )

    def _send(
        self, scene: Stage, name: str, requests: list[dict[str, Any]], *, workers: int, seconds: float, seed: int
    ) -> subprocess.Popen[bytes]:
        home = scene.directory / name
        home.mkdir()
        pause = seconds * workers / len(requests)
        job = {"base_url": scene.base_url, "key": self._key, "workers": workers, "pause": pause, "repeat": 0.0}
        (home / "events.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
        (home / "events_job.json").write_text(json.dumps({**job, "seed": seed}))
        with (home / "clients.log").open("ab") as log:
            return spawn([PYTHON, "-m", "tests.drills.rig.clients", str(home)], stdout=log, stderr=log)

    def _findings(self, scene: Stage, size: Size, looks: Looks, *, timed: bool) -> Iterator[Finding]:
        yield _nobody_is_lost(scene, "flood", "capped-flood")
        yield _nobody_is_lost(scene, "sign_ups", "capped-flood-sign-ups")
        yield Finding(
            WITHIN_THE_CAP,
            holds=not looks.over,
            figures={"cap": CAP, "looks": looks.count, "most": looks.most, "over it": len(looks.over)},
        )
        # else nobody stood in the fire: fewer came at once than there are places
        yield Finding("all places were taken at some time", holds=looks.most >= CAP, figures={"most": looks.most})
        yield checker.journal_is_gapless(scene)
        yield checker.counters_equal_the_journal(scene)
        yield checker.books_balance(scene)
        if timed:
            p99 = checker.percentile(_welcomes(scene), 0.99)
            yield Finding(
                f"who signed up meanwhile was welcomed within {WELCOMED_WITHIN:.0f} s at p99",
                holds=p99 is not None and p99 < WELCOMED_WITHIN,
                figures={"seconds": p99},
            )


def _size(play: Play) -> Size:
    if play.mutant:
        return MUTANT
    if play.smoke:
        return SMOKE
    return FULL if play.calm else KILLED


def _installation(web_port: int) -> list[Program]:
    """Two workers of the bulk lane, so that they may be in each other's way."""
    return [
        web(web_port),
        worker("urgent"),
        worker("bulk", 1),
        worker("bulk", 2),
        worker("housekeeping"),
        dispatcher(1),
        beat(),
    ]


def _flood(size: Size) -> Iterator[dict[str, Any]]:
    for start in range(1, size.people + 1, size.per_request):
        numbers = range(start, min(start + size.per_request, size.people + 1))
        yield {
            "lane": "bulk",
            "events": [
                {"event_id": f"flood-{n}", "type": "flood_came", "contact": {"external_id": people.external_id(n)}}
                for n in numbers
            ],
        }


def _sign_ups(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.sign_ups):
        yield {"events": [{"event_id": f"new-{n}", "type": "signed_up", "contact": {"external_id": f"new-{n}"}}]}


@contextmanager
def _looking(scene: Stage) -> Iterator[Looks]:
    """Counts the active ones all the time, in one statement each: what a moment showed, everybody could have seen."""
    looks, over = Looks(), threading.Event()

    def look() -> None:
        with scene.servers.connect(scene.database) as connection:
            while not over.wait(LOOK_EVERY):
                query = "SELECT count(*) FROM workflow_enrolments WHERE state = 'active' AND capped"
                count = connection.execute(query).fetchall()[0][0]
                looks.count += 1
                looks.most = max(looks.most, count)
                if count > CAP:
                    looks.over.append(count)

    thread = threading.Thread(target=look, name="looker")
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def _is_at_rest(scene: Stage, size: Size) -> bool:
    """Everybody of the flood and all who signed up are through, as the counters say: to count the enrolments again and
    again would cost more than the work."""
    finished = scene.number(
        """
        SELECT COALESCE(sum(amount), 0)::bigint
          FROM (SELECT step, metric, facet, amount FROM counters
                UNION ALL SELECT step, metric, facet, amount FROM counter_deltas) c
         WHERE step = '' AND facet = '' AND metric = 'completed'
        """
    )
    return finished == size.people + size.sign_ups


def _nobody_is_lost(scene: Stage, load: str, slug: str) -> Finding:
    acknowledged = sum(len(ack["keys"]) for ack in read_lines(scene.directory / load / "events_acks.jsonl"))
    states = dict(
        scene.rows(
            """
            SELECT e.state, count(*) FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id
             WHERE w.slug = %s GROUP BY 1 ORDER BY 1
            """,
            [slug],
        )
    )
    return Finding(
        f"nobody is lost: whoever was acknowledged went through {slug}",
        holds=states == {"completed": acknowledged},
        figures={"acknowledged": acknowledged, **states},
        counts={
            "acknowledged": acknowledged,
            "processed": states.get("completed", 0),
            "lost": max(0, acknowledged - sum(states.values())),
        },
    )


def _many_were_killed(size: Size, kills: int) -> Finding:
    return Finding(
        "workers were killed at the pause points", holds=kills >= size.least_kills, figures={"killed": kills}
    )


def _welcomes(scene: Stage) -> list[float]:
    """Seconds from the record of each sign-up to the first step of the journey, by the database's clock."""
    return [
        float(seconds)
        for (seconds,) in scene.rows(
            """
            SELECT extract(epoch FROM j.at - v.recorded_at)
              FROM contact_events v
              JOIN workflow_enrolments e ON e.entry_event_id = v.id
              JOIN workflow_journal j ON j.enrolment_id = e.id AND j.seq = 1
             WHERE v.type = 'signed_up'
            """
        )
    ]


def _times(scene: Stage) -> dict[str, Any]:
    triggered, entered, through = scene.rows(
        """
        SELECT (SELECT extract(epoch FROM max(recorded_at) - min(recorded_at)) FROM contact_events
                 WHERE type = 'flood_came'),
               extract(epoch FROM max(e.entered_at) - min(e.entered_at)),
               extract(epoch FROM max(e.finished_at) - min(e.entered_at))
          FROM workflow_enrolments e JOIN workflows w ON w.id = e.workflow_id WHERE w.slug = 'capped-flood'
        """
    )[0]
    welcomes = _welcomes(scene)
    return {
        "flood triggered within (s)": round(float(triggered or 0), 1),
        "flood enrolled within (s)": round(float(entered or 0), 1),
        "flood through within (s)": round(float(through or 0), 1),
        "sign-ups welcomed, median (s)": checker.percentile(welcomes, 0.5),
        "sign-ups welcomed, p99 (s)": checker.percentile(welcomes, 0.99),
    }
