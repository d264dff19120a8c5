"""I6 to I10 at once: several workflows write to the same people from two lanes, beside unsubscribes aimed at mails on
their way, senders that are killed and paused, and an ESP that takes mails and loses its answer. No request begins after
an acknowledgement, nothing is sent twice, nobody gets more than the cap allows, and every doubt ends."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.drills.nothing_after_unsubscribe import (
    LEASE_SECONDS,
    NOTHING_AFTER,
    aimed_well,
    answered_within_the_lease,
    nothing_after,
)
from tests.drills.rig import checker, people
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, Program, beat, spawn, web, worker
from tests.drills.rig.record import Request, read_lines
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan
from tests.drills.rig.unsubscribers import LINK

JOURNEY = Path(__file__).parent / "journeys" / "post_office.yaml"
WITHIN_THE_CAP = "nobody got more capped mails than the cap allows, doubts counted"
SENT_ONCE = "no message reached the ESP twice, none was resent blindly"  # as `checker.nothing_sent_twice` says it
CAP = 1  # a day
FAULTS = {"sender": 5.0, "web_child": 1.0, "terminate_backends": 1.0, "flush_redis": 0.5}
TIMEOUT_SECONDS = 3
CHAOS = {
    "": "delivery.claimed=pause:3.0:{paused}+pause:0.6:0.1,delivery.gate=pause:0.4:0.2,delivery.answered=kill:0.005",
    "check_then_send": "delivery.claimed=pause:0.6:0.5",
    "no_lease_check": "delivery.claimed=pause:3.0:0.3",
    "gate_reads_before_it_locks": "delivery.gate=pause:0.4:0.5",
    "cap_is_counted_before_the_lock": "delivery.gate=pause:0.4:1.0",
    "blind_resend": "delivery.gate=pause:0.1:0.1",
}

# To each person four mails: two of which the cap lets one through, one in each lane, and two that no cap holds back.
# They come due one person after the other, and the urgent ones of every eighth person by the same time later: however
# far a slow machine lets the lane in bulk, with one process less, fall behind, there are people at whom the lanes meet.
MESSAGES = """
INSERT INTO messages (contact_id, channel, template_version_id, message_class, topic, override_cap, priority, lane,
                      workflow_id, idempotency_key, created_at)
SELECT c.id, 'email', t.live_version_id, 'marketing', '', mail.n > 2,
       CASE mail.n WHEN 1 THEN 6 WHEN 2 THEN 7 ELSE 5 END, CASE mail.n % 2 WHEN 0 THEN 'urgent'
       ELSE 'bulk' END, mail.n, 'drill:' || mail.n || ':' || c.id, now()
  FROM templates t, contacts c, generate_series(1, 4) AS mail (n)
 ORDER BY c.id, mail.n
"""
OUTBOX = """
INSERT INTO outbox (message_id, lane, priority, contact_id, due_at)
SELECT id, lane, priority, contact_id,
       now() + make_interval(secs => %s * contact_id / %s + (lane = 'urgent')::int * (contact_id %% 8) * 0.5)
  FROM messages WHERE contact_id <= %s ORDER BY id
"""
OPEN = "SELECT count(*) FROM outbox WHERE state {}"
# what is counted under the cap, by the ledger itself
COUNTED = """
SELECT contact_id FROM contact_send_log WHERE cap_delta <> 0 GROUP BY contact_id HAVING sum(cap_delta) > %s
"""
CAPPED = "SELECT public_id::text FROM messages WHERE NOT override_cap"


@dataclass(frozen=True)
class Size:
    """Four mails to each of `people`, due within `due_within`; `patience` is for all of them, `deadline` for a doubt,
    in seconds. `fault_every` 0: no faults but those that CHAOS plans. `senders` in each lane, and one more for the
    urgent one."""

    people: int
    due_within: float
    patience: float
    unsubscribers: int
    pause: float  # of each unsubscriber, after each acknowledgement
    paused: float
    fault_every: float
    deadline: int
    senders: int = 1


# A sender that is killed is back after nine seconds, on two cores that do all of this: faults leave them time to work.
FULL = Size(
    10_000, 120, patience=300, unsubscribers=10, pause=0.5, paused=0.04, fault_every=5.0, deadline=12, senders=2
)
SMOKE = Size(600, 5, patience=20, unsubscribers=12, pause=0.1, paused=0.08, fault_every=4.0, deadline=4)
# slow enough for the lanes to keep abreast of each other: they meet at the same people
MUTANT = Size(2_400, 24, patience=36, unsubscribers=24, pause=0.1, paused=0.0, fault_every=0, deadline=4)
MUTANT_SMOKE = replace(MUTANT, people=600, due_within=8, patience=14, unsubscribers=12)


class PostOffice:
    name = "post_office"
    has_calm_run = False
    left_to_others = ("check_then_send", "no_lease_check", "gate_reads_before_it_locks")  # nothing_after_unsubscribe
    mutants: Mapping[str, tuple[str, ...]] = {
        "check_then_send": (NOTHING_AFTER,),
        "no_lease_check": (NOTHING_AFTER,),
        "gate_reads_before_it_locks": (NOTHING_AFTER, WITHIN_THE_CAP),
        "cap_is_counted_before_the_lock": (WITHIN_THE_CAP,),
        "blind_resend": (SENT_ONCE,),
    }

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)
            connection.execute(people.ADDRESSES)
            connection.execute(MESSAGES)
        manage(env, "rebuild_counters")  # of messages that no journey sent

    def settings(self, play: Play) -> dict[str, str]:
        chaos = CHAOS[play.mutant].format(paused=_size(play).paused)
        return {
            "CARILLON_CHAOS": f"{chaos};seed={play.seed}",
            "SEND_LEASE_SECONDS": str(LEASE_SECONDS),
            "ESP_RATE_LIMIT": "5000",
            "ESP_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
            "ESP_BACKOFF_MS": "200",
            "IN_DOUBT_DEADLINE": f"PT{_size(play).deadline}S",
            "FREQUENCY_CAP_PER_DAY": str(CAP),
        }

    def plan(self, play: Play) -> StubPlan:
        """Two in a hundred are taken and the connection is reset, one is taken and never answered. Most of what was
        taken is reported, some of it never: those doubts end at the deadline."""
        return StubPlan(
            seed=play.seed,
            latency_ms=(20, 140),
            too_many=0.01,
            unavailable=0.01,
            reset=0.02 if play.mutant != "blind_resend" else 0.1,
            hang=0.01,
            feedback=0.2 if play.smoke else 0.9,  # a small run has two dozen doubts: some for either end
            feedback_after=2.0,
            copies=1,
        )

    def play(self, scene: Stage, play: Play) -> Run:
        size = _size(play)
        crew = scene.start(_installation(scene.web_port, size.senders, whole=not play.mutant))
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=size.fault_every or 1,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=scene.progress,
        )
        bells = TooManyBells(
            scene.servers,
            [("delivery.deliver", "delivery_urgent"), ("delivery.deliver", "delivery_bulk")],
            times=2,
            every=0.5,
        )
        leaving = self._start_unsubscribers(scene, size, play.seed)
        with scene.servers.connect(scene.database) as connection:
            connection.execute(OUTBOX, [size.due_within, size.people, size.people])
        bells.start()
        if size.fault_every:
            nemesis.start()
        scene.wait_until(lambda: not scene.number(OPEN.format("= 'queued'")), size.patience, every=0.5)
        nemesis.stop()
        (scene.directory / "enough").touch()
        if leaving.wait(60):
            raise RuntimeError(f"the unsubscribers failed; see {scene.directory / 'unsubscribers.log'}")
        rest = 0.5 if play.mutant else LEASE_SECONDS + TIMEOUT_SECONDS + size.deadline + 15
        scene.wait_until(lambda: not scene.number(OPEN.format("IS NOT NULL")), rest, every=0.5)
        faults = nemesis.collect()
        bells.stop()
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene, play)),
            faults=by_kind(faults),
            figures={"processes started again": crew.restarts()},
        )

    def _start_unsubscribers(self, scene: Stage, size: Size, seed: int) -> subprocess.Popen[bytes]:
        job = {
            "base_url": scene.base_url,
            "database_url": scene.servers.database_url(scene.database),
            "workers": size.unsubscribers,
            "pause": size.pause,
            "seed": seed,
            "ways": [LINK],
        }
        (scene.directory / "unsubscribes_job.json").write_text(json.dumps(job))
        env = {**scene.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        with (scene.directory / "unsubscribers.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.unsubscribers", str(scene.directory)]
            return spawn(command, env=env, stdout=log, stderr=log)


def _size(play: Play) -> Size:
    if play.mutant:
        return MUTANT_SMOKE if play.smoke else MUTANT
    return SMOKE if play.smoke else FULL


def _installation(web_port: int, senders: int, *, whole: bool) -> list[Program]:
    """Who sends, and where one unsubscribes; for the product also who folds reports and ends doubts."""
    lanes = ["delivery_urgent"] * (senders + 1) + ["delivery_bulk"] * senders
    sending = [worker(lane, number) for number, lane in enumerate(lanes, start=1)]
    return [web(web_port), *sending, *([worker("webhooks"), worker("housekeeping"), beat()] if whole else [])]


def _findings(scene: Stage, play: Play) -> list[Finding]:
    requests = checker.requests_of(scene)
    acks = read_lines(scene.directory / "unsubscribes.jsonl")
    findings = [
        nothing_after(requests, acks),
        checker.nothing_sent_twice(requests),
        within_the_cap(scene, requests),
    ]
    if not play.mutant:
        findings += [
            aimed_well(scene, acks, calm=False),
            answered_within_the_lease(acks, read_lines(scene.directory / "looks.jsonl")),
            many_were_capped(scene),
            every_doubt_ends(scene),
            checker.ledger_agrees_with_the_esp(scene, requests, used={ack["mid"] for ack in acks}),
        ]
    return findings


def within_the_cap(scene: Stage, requests: Sequence[Request]) -> Finding:
    """By what the ESP took, and by what the ledger counts; the whole drill lies within a day."""
    capped = {mid for (mid,) in scene.rows(CAPPED)}
    taken = Counter({(request.to, request.mid): 1 for request in requests if request.taken and request.mid in capped})
    to_each = Counter(to for to, _ in taken)
    over = [to for to, count in to_each.items() if count > CAP]
    counted = scene.rows(COUNTED, [CAP])
    return Finding(
        WITHIN_THE_CAP,
        holds=not over and not counted,
        figures={"got one": len(to_each), "over it at the ESP": len(over), "over it in the ledger": len(counted)},
        examples=first([f"{to}: {to_each[to]}" for to in over]),
        counts={"over cap": max(len(over), len(counted))},
    )


def many_were_capped(scene: Stage) -> Finding:
    """Zero means nothing if nobody came for a place that was taken."""
    capped, places = scene.rows(
        """
        SELECT (SELECT count(*) FROM contact_send_log WHERE kind = 'capped'),
               (SELECT count(DISTINCT contact_id) FROM contact_send_log WHERE cap_delta > 0)
        """
    )[0]
    return Finding(
        "the cap held mails back", holds=capped > places / 4, figures={"held back": capped, "places taken": places}
    )


def every_doubt_ends(scene: Stage) -> Finding:
    """Nothing is open any more, though there were doubts, and they ended in both ways: by a report, and by the
    deadline."""
    left = dict(scene.rows("SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state"))
    doubted = "SELECT DISTINCT message_id FROM contact_send_log WHERE kind = 'in_doubt'"
    doubts = scene.number(f"SELECT count(*) FROM ({doubted}) AS doubts")
    unended = scene.number(f"SELECT count(*) FROM outbox WHERE message_id IN ({doubted})")
    ends = dict(
        scene.rows(
            f"SELECT state, count(*) FROM message_states WHERE message_id IN ({doubted}) GROUP BY state ORDER BY state"
        )
    )
    return Finding(
        "every doubt ends, by a report or at the deadline, and nothing is left under way",
        holds=not left and doubts > 0 and ends.get("accepted", 0) > 0 and ends.get("undetermined", 0) > 0,
        figures={"doubts": doubts, **ends, "left open": sum(left.values())},
        counts={
            "doubts": doubts,
            "doubts by proof": doubts - ends.get("undetermined", 0) - unended,
            "doubts by deadline": ends.get("undetermined", 0),
            "doubts left": unended,
        },
    )
