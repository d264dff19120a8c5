"""I6, I7, I20: once an unsubscribe or the withdrawal of a consent was acknowledged, no request to that address starts,
while senders pause between claim and write for longer than their lease, are killed, and lose their connections; and the
acknowledgement is quick. Who had refused before gets nothing at all."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.drills.rig import checker, people
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.checker import percentile
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import PYTHON, answers, spawn, whole_installation
from tests.drills.rig.record import Request, read_lines
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan
from tests.drills.rig.unsubscribers import LINK, SAID

JOURNEY = Path(__file__).parent / "journeys" / "nothing_after_unsubscribe.yaml"
NOTHING_AFTER = "no request to an address began after its unsubscribe was acknowledged"
NOTHING_WITHOUT = "no request to an address whose person had refused marketing before"
REFUSED_EVERY = 10  # every so many-th of the people
REFUSALS = """
INSERT INTO consent_records (contact_id, category, topic, state, recorded_at, source)
SELECT id, 'marketing', '', 'denied', now(), 'import' FROM contacts WHERE id %% %s = 0 ORDER BY id
"""
# of people who refused in the middle
HELD_BACK = """
SELECT count(*) FROM contact_send_log l WHERE kind = 'suppressed' AND NOT EXISTS (
       SELECT FROM consent_records r WHERE r.contact_id = l.contact_id AND r.source = 'import')
"""
FAULTS = {"sender": 4.0, "web_child": 1.0, "web": 0.3, "terminate_backends": 1.0, "flush_redis": 0.5}
LEASE_SECONDS = 2.0
CALM_RATE = 300  # mails a second: how quick an acknowledgement is on a machine that is not at its end
FIRST_LOOKS = 40  # shared by two processes as they come
START_SECONDS, MORE_SECONDS = 60.0, 30.0  # at most: until somebody unsubscribes, and until enough of them met a mail
# Pauses between claim and write, longer than the lease and shorter, and before the gate's locks. Each mutant gets more
# of the one that brings it out.
CHAOS = {
    "": "delivery.claimed=pause:3.0:{paused}+pause:0.6:0.2,delivery.gate=pause:0.4:0.2,delivery.answered=kill:0.005",
    "check_then_send": "delivery.claimed=pause:0.6:0.5",
    "no_lease_check": "delivery.claimed=pause:3.0:0.3",
    "gate_reads_before_it_locks": "delivery.gate=pause:0.4:0.5",
    "gate_asks_for_no_consent": "on",
}


@dataclass(frozen=True)
class Size:
    """`mails` to each of `people`, so that who unsubscribes has one on its way and others in the queue. `paused` is the
    share of batches that are held between claim and write; `fault_every` in seconds. Of `senders` most are paused at
    any time."""

    people: int
    mails: int
    load_seconds: float
    unsubscribers: int
    paused: float
    fault_every: float
    senders: int = 2


FULL = Size(people=8_000, mails=10, load_seconds=240, unsubscribers=12, paused=0.04, fault_every=2.8, senders=5)
CALM = replace(FULL, load_seconds=60, unsubscribers=4, senders=2)
SMOKE = Size(people=1_500, mails=12, load_seconds=12, unsubscribers=12, paused=0.08, fault_every=2.5)
SHORT = replace(SMOKE, load_seconds=4)  # for what needs no luck to come out


class NothingAfterUnsubscribe:
    name = "nothing_after_unsubscribe"
    has_calm_run = True
    mutants: Mapping[str, tuple[str, ...]] = {
        "check_then_send": (NOTHING_AFTER,),
        "no_lease_check": (NOTHING_AFTER,),
        "gate_reads_before_it_locks": (NOTHING_AFTER,),
        "gate_asks_for_no_consent": (NOTHING_AFTER, NOTHING_WITHOUT),
    }

    def __init__(self) -> None:
        self._key = ""

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        self._key = manage(env, "create_api_key", "--name", "drill", "--scopes", "contacts:write").strip()
        size = SMOKE if smoke else FULL
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, size.people)
            connection.execute(REFUSALS, [REFUSED_EVERY])
            people.queue_mails(connection, size.mails)
        manage(env, "rebuild_counters")  # of messages that no journey sent

    def settings(self, play: Play) -> dict[str, str]:
        chaos = CHAOS[play.mutant].format(paused=_size(play).paused)
        return {
            **({} if play.calm else {"CARILLON_CHAOS": f"{chaos};seed={play.seed}"}),
            "SEND_LEASE_SECONDS": str(LEASE_SECONDS),
            "ESP_RATE_LIMIT": str(CALM_RATE) if play.calm else "5000",
            "ESP_TIMEOUT_SECONDS": "3",
            "ESP_BACKOFF_MS": "200",
        }

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed, latency_ms=(20, 140), too_many=0.01, unavailable=0.01, reset=0.005)

    def play(self, scene: Stage, play: Play) -> Run:
        size = _size(play)
        crew = scene.start(whole_installation(scene.web_port, engines=1, senders=size.senders, dispatchers=1))
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS,
            every=size.fault_every,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=scene.progress,
        )
        bells = TooManyBells(scene.servers, [("delivery.deliver", "delivery_urgent")], times=2, every=0.5)
        if play.calm:
            _come_to_rest(scene)
        leaving = self._start_unsubscribers(scene, size, play)
        bells.start()
        # a process that starts takes longer than a small form lasts, where other drills start beside it
        scene.wait_until(lambda: bool(_lines(scene, "looks")), START_SECONDS, every=0.1)
        if not play.calm:
            nemesis.start()
        scene.wait_until(lambda: _is_sent(scene), size.load_seconds, every=1.0)
        if not play.mutant:
            scene.wait_until(lambda: _is_sent(scene) or _met_enough(_lines(scene, "unsubscribes")), MORE_SECONDS)
        nemesis.stop()
        (scene.directory / "enough").touch()
        if leaving.wait(60):
            raise RuntimeError(f"the unsubscribers failed; see {scene.directory / 'unsubscribers.log'}")
        scene.wait_until(lambda: False, LEASE_SECONDS + 2)  # whoever was paused comes back now, if they do
        faults = nemesis.collect()
        bells.stop()
        crew.stop()
        requests = checker.requests_of(scene)
        acks, looks = _lines(scene, "unsubscribes"), _lines(scene, "looks")
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=(
                nothing_after(requests, acks),
                nothing_without(requests, acks),
                aimed_well(scene, acks, calm=play.calm),
                answered_at_once(acks) if play.calm else answered_within_the_lease(acks, looks),
                checker.nothing_sent_twice(requests),
            ),
            faults=by_kind(faults),
            figures={"processes started again": crew.restarts()},
        )

    def _start_unsubscribers(self, scene: Stage, size: Size, play: Play) -> subprocess.Popen[bytes]:
        job = {
            "base_url": scene.base_url,
            "database_url": scene.servers.database_url(scene.database),
            "workers": size.unsubscribers,
            "pause": 0.2,
            "seed": play.seed,
            "ways": _ways(play),
            "key": self._key,
        }
        (scene.directory / "unsubscribes_job.json").write_text(json.dumps(job))
        env = {**scene.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        with (scene.directory / "unsubscribers.log").open("ab") as log:
            command = [PYTHON, "-m", "tests.drills.rig.unsubscribers", str(scene.directory)]
            return spawn(command, env=env, stdout=log, stderr=log)


def _ways(play: Play) -> list[str]:
    """A mutant of one of the two needs everybody to go that way; what is promised of a calm machine is the link's."""
    if play.mutant == "gate_asks_for_no_consent":
        return list(SAID)
    return [LINK] if play.mutant or play.calm else [LINK] * len(SAID) + list(SAID)


def _size(play: Play) -> Size:
    if play.calm:
        return CALM
    if play.mutant == "gate_asks_for_no_consent":
        return SHORT
    return SMOKE if play.smoke or play.mutant else FULL


def _come_to_rest(scene: Stage) -> None:
    """What was just furnished is on the disk, and each web process has shown a page: the promise is about a machine on
    which nothing else happens, not about one that starts."""
    os.sync()
    for _ in range(FIRST_LOOKS):
        answers(f"{scene.base_url}/u/nobody")


def _lines(scene: Stage, name: str) -> list[dict[str, Any]]:
    """What the unsubscribers have written until now."""
    return read_lines(scene.directory / f"{name}.jsonl")


def _met_enough(acks: Sequence[Mapping[str, Any]]) -> bool:
    """As many as `aimed_well` asks for met a mail on its way, and as many one at the gate."""
    aims = Counter(ack["aimed_at"] for ack in acks)
    return min(aims["in flight"], aims["at the gate"]) >= _least(acks)


def _least(acks: Sequence[Mapping[str, Any]]) -> int:
    return max(10, len(acks) // 20)


def _is_sent(scene: Stage) -> bool:
    return not scene.number("SELECT EXISTS (SELECT FROM outbox WHERE state = 'queued')")


def nothing_after(requests: Sequence[Request], acks: Sequence[Mapping[str, Any]]) -> Finding:
    """A request that arrived certainly after the acknowledgement was read is a violation. Where the stub cannot tell
    (it was busy while both happened) it is counted apart."""
    acknowledged = {ack["address"]: ack["acked_at"] for ack in acks}
    late = [request for request in requests if request.after > acknowledged.get(request.to, request.by)]
    unclear = [
        request for request in requests if request.after <= acknowledged.get(request.to, request.by) < request.by
    ]
    return Finding(
        NOTHING_AFTER,
        holds=not late,
        figures={
            "requests": len(requests),
            "unsubscribed": len(acknowledged),
            "to them before": sum(1 for request in requests if request.by <= acknowledged.get(request.to, 0.0)),
            "to them after": len(late),
            "too close to tell": len(unclear),
        },
        examples=first(
            [f"message {one.mid}: {one.after - acknowledged[one.to]:.3f} s after the acknowledgement" for one in late]
        ),
        counts={"unsubscribes": len(acknowledged), "after unsubscribe": len(late)},
    )


def nothing_without(requests: Sequence[Request], acks: Sequence[Mapping[str, Any]]) -> Finding:
    """They were never asked, and mails to them wait in the queue all the same. Who wavered had agreed for a moment."""
    agreed = {ack["address"] for ack in acks if ack["way"] == "wavering"}
    had_refused = {people.address(n) for n in range(REFUSED_EVERY, FULL.people + 1, REFUSED_EVERY)} - agreed
    written_to = [request for request in requests if request.to in had_refused]
    return Finding(
        NOTHING_WITHOUT,
        holds=not written_to,
        figures={"requests": len(requests), "to them": len(written_to)},
        examples=first([f"message {one.mid}" for one in written_to]),
    )


def aimed_well(scene: Stage, acks: Sequence[Mapping[str, Any]], *, calm: bool) -> Finding:
    """Zero means nothing if nobody stood in the fire: enough of them unsubscribed while a mail to them was on its way
    or at the gate, and enough had mails in the queue that were then held back."""
    aims = Counter(ack["aimed_at"] for ack in acks)
    held_back = scene.number(HELD_BACK)
    ways = Counter(ack["way"] for ack in acks)
    least = _least(acks)
    return Finding(
        "the unsubscribes met mails on their way, at the gate and in the queue",
        holds=aims["in flight"] >= least and held_back >= least and (calm or aims["at the gate"] >= least),
        figures={**dict(sorted(aims.items())), "mails held back": held_back, **dict(sorted(ways.items()))},
    )


def answered_within_the_lease(acks: Sequence[Mapping[str, Any]], looks: Sequence[Mapping[str, Any]]) -> Finding:
    """I7, beside senders that are killed or paused while they hold a claim: the lease and 100 ms, beyond what somebody
    waited at the same time who only looked at the page: that is the machine at its end or a web process that has just
    started, not a wait for senders. One in a hundred may take a second more: looks are samples."""
    waits = _waits(acks)
    beyond = [wait - _slowest_look(looks, ack) for wait, ack in zip(waits, acks, strict=True)]
    late = sum(1 for wait in beyond if wait > LEASE_SECONDS + 0.1)
    return Finding(
        "an unsubscribe is acknowledged within the lease and 100 ms",
        holds=bool(waits and looks) and late <= max(1, len(waits) // 100) and max(beyond) <= LEASE_SECONDS + 1.0,
        figures={
            "later": late,
            **_figures(waits),
            "lease ms": round(LEASE_SECONDS * 1000),
            "slowest look ms": round(1000 * max((look["read"] - look["began"] for look in looks), default=0.0)),
            "tries": sum(ack["tries"] for ack in acks),
        },
    )


def _slowest_look(looks: Sequence[Mapping[str, Any]], ack: Mapping[str, Any]) -> float:
    """Seconds, of those under way while this one waited."""
    meanwhile = (look for look in looks if look["began"] < ack["acked_at"] and look["read"] > ack["sent_at"])
    return max((look["read"] - look["began"] for look in meanwhile), default=0.0)


def answered_at_once(acks: Sequence[Mapping[str, Any]]) -> Finding:
    """I7, without faults."""
    waits = _waits(acks)
    return Finding(
        "an unsubscribe is acknowledged within 250 ms at p99",
        holds=bool(waits) and (percentile(waits, 0.99) or 0.0) < 0.25,
        figures=_figures(waits),
    )


def _waits(acks: Sequence[Mapping[str, Any]]) -> list[float]:
    return [ack["acked_at"] - ack["sent_at"] for ack in acks]


def _figures(waits: Sequence[float]) -> dict[str, int]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "longest": 1.0}
    return {f"{name} ms": round((percentile(waits, share) or 0.0) * 1000) for name, share in shares.items()}
