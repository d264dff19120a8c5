"""I25: events from Kafka, read by a group whose members are killed, lose their database and stand still for longer than
the group waits for them: each message has its effect once, and none is even read twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.drills.rig import checker, people
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import Program, consumer, dispatcher, worker
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan
from tests.wire.kafka_brokers import PARTITIONS, Broker, mock_broker

JOURNEY = Path(__file__).parent / "journeys" / "kafka_group.yaml"
TOPIC = "drill.events"
PEOPLE = 300
MEMBERS = 3
POISON_EVERY = 97
POISON = b"no event: "
SESSION_MS = 6_000  # after which the group gives up a member that says nothing: the least that brokers allow
PAUSE_SECONDS = 8.0  # longer, so that who is paused wakes up as a zombie
PIECE = 100  # messages that are handed over at once
KEPT_ONCE = "every message that the group has read is kept, once: in the log of its person, or in quarantine"
READ_ONCE = "no message came to the database twice"
CHAOS = "kafka.read=kill:{kill}+pause:0.05:0.05,kafka.stored=kill:{kill};seed={seed}"


@dataclass(frozen=True)
class Size:
    """`records` are produced within `seconds`, while the faults happen; `faults`: how many of each. `batch`: messages
    stored together at most. `kill`: the share of batches at which the member dies, before they are stored or after."""

    records: int
    seconds: float
    batch: int
    faults: Mapping[str, float]
    every: float
    kill: float
    least_deaths: int
    patience: float


FULL = Size(
    records=50_000,
    seconds=200,
    batch=50,
    faults={"consumer": 30, "pause": 6, "terminate_backends": 6, "restart_postgres": 2},  # others die at pause points
    every=5.0,
    kill=0.005,
    least_deaths=30,
    patience=180,
)
SMOKE = Size(
    records=4_000,
    seconds=6,
    batch=20,
    faults={"consumer": 2, "terminate_backends": 1},
    every=2.0,
    kill=0.003,
    least_deaths=2,
    patience=60,
)
MUTANTS_KILL = 0.05  # they are caught by those that die, and are over then


class KafkaGroup:
    name = "kafka_group"
    has_calm_run = False
    mutants: Mapping[str, tuple[str, ...]] = {"kafka.offsets_first": (KEPT_ONCE,), "kafka.offsets_last": (READ_ONCE,)}

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, PEOPLE)

    def settings(self, play: Play) -> dict[str, str]:
        size = _size(play)
        return {
            "KAFKA_TOPIC": TOPIC,
            "KAFKA_OPTIONS": f"session.timeout.ms={SESSION_MS},heartbeat.interval.ms=500",
            "QUEUE_PREFETCH": str(size.batch),
            "CARILLON_CHAOS": CHAOS.format(kill=MUTANTS_KILL if play.mutant else size.kill, seed=play.seed),
            "ENTRIES_PER_CONTACT_PER_DAY": str(size.records),  # a few hundred people, and each event lets somebody in
        }

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        with mock_broker(TOPIC) as broker:
            return _play(scene, play, _size(play), broker)


def _size(play: Play) -> Size:
    """Mutants are caught by a small load."""
    return SMOKE if play.smoke or play.mutant else FULL


def _play(scene: Stage, play: Play, size: Size, broker: Broker) -> Run:
    crew = scene.start(_installation(), KAFKA_BOOTSTRAP_SERVERS=broker.servers)
    nemesis = Nemesis(
        crew=crew,
        services=scene.servers,
        weights={} if play.mutant else size.faults,
        every=size.every,
        seed=play.seed,
        record=scene.directory / "faults.jsonl",
        progress=lambda: _kept(scene),
        pause=PAUSE_SECONDS,
        counted=True,
    )
    nemesis.start()
    messages = _messages(size, play.seed)
    producer = threading.Thread(target=_produce, args=(broker, messages, size.seconds), name="producer")
    producer.start()
    producer.join()
    scene.wait_until(lambda: nemesis.is_through or nemesis.failure is not None, size.patience)
    nemesis.stop()

    def is_caught() -> bool:
        return not (_kept_once(scene, messages).holds and _read_once(scene).holds)

    def is_over() -> bool:
        if play.mutant and is_caught():
            time.sleep(1)  # a batch that is being stored is not lost
            return is_caught()
        return _is_at_rest(scene, size.records)

    came_to_rest = scene.wait_until(is_over, size.patience)
    faults = nemesis.collect()
    said = "".join(each.log.read_text() for each in crew.of("consumer"))
    died = sum(each.starts - 1 for each in crew.of("consumer"))
    figures = {
        "messages": size.records,
        "members that died": died,
        "times that a member was given partitions": said.count("reading ["),
        "batches that were let go of by zombies": said.count("another member has read on"),
        "came to rest": "yes" if came_to_rest else f"not within {size.patience:.0f} s",
    }
    crew.stop()
    findings = _findings(scene, messages, died=died, least=size.least_deaths)
    return Run(mutant=play.mutant, seconds=0, findings=tuple(findings), faults=by_kind(faults), figures=figures)


def _installation() -> list[Program]:
    return [*(consumer(number) for number in range(1, MEMBERS + 1)), worker("urgent"), dispatcher(), dispatcher(2)]


@dataclass(frozen=True)
class Message:
    number: int
    person: int

    @property
    def partition(self) -> int:
        """That of its person, as a producer's key would have it, so that everybody's order is kept."""
        return self.person % PARTITIONS

    @property
    def value(self) -> Any:
        if self.number % POISON_EVERY == 0:
            return POISON + str(self.number).encode()
        return {
            "event_id": f"message-{self.number}",
            "type": "moved",
            "contact": {"external_id": people.external_id(self.person)},
            "properties": {"number": self.number},
        }


def _messages(size: Size, seed: int) -> list[Message]:
    dice = random.Random(f"{seed}:messages")
    return [Message(number, dice.randint(1, PEOPLE)) for number in range(size.records)]


def _produce(broker: Broker, messages: list[Message], seconds: float) -> None:
    began = time.monotonic()
    for start in range(0, len(messages), PIECE):
        for partition in range(PARTITIONS):
            piece = [each.value for each in messages[start : start + PIECE] if each.partition == partition]
            broker.produce(*piece, partition=partition)
        time.sleep(max(0.0, began + (start + PIECE) / len(messages) * seconds - time.monotonic()))


def _kept(scene: Stage) -> int:
    return scene.number("SELECT (SELECT count(*) FROM contact_events) + (SELECT count(*) FROM quarantined_events)")


def _reached(scene: Stage) -> dict[int, int]:
    """By partition, the offset behind the last message that the group counts as read."""
    return dict(scene.rows("SELECT partition, next_offset FROM kafka_offsets"))


def _is_at_rest(scene: Stage, records: int) -> bool:
    return bool(
        scene.number(
            "SELECT (SELECT COALESCE(sum(next_offset), 0) FROM kafka_offsets) >= %s"
            " AND NOT EXISTS (SELECT FROM pending_events)"
            " AND NOT EXISTS (SELECT FROM workflow_enrolments WHERE finished_at IS NULL)",
            [records],
        )
    )


def _findings(scene: Stage, messages: list[Message], *, died: int, least: int) -> Iterator[Finding]:
    yield _kept_once(scene, messages)
    yield _read_once(scene)
    yield _one_effect(scene)
    unread = len(messages) - sum(_reached(scene).values())
    waiting = scene.number("SELECT count(*) FROM pending_events")
    yield Finding(
        "the group read everything, and nothing waits any more",
        holds=not unread and not waiting,
        figures={"unread": unread, "waiting": waiting},
    )
    yield Finding(
        "members of the group died, and their partitions went to others", holds=died >= least, figures={"died": died}
    )
    yield checker.books_balance(scene)


def _kept_once(scene: Stage, messages: list[Message]) -> Finding:
    """Lost is what the group has left behind and nobody has; what it has not come to yet is late."""
    kept = Counter(
        number
        for (number,) in scene.rows(
            "SELECT (properties ->> 'number')::int FROM contact_events WHERE source = 'kafka'"
            " UNION ALL SELECT substr(raw, %s)::int FROM quarantined_events WHERE source = 'kafka'",
            [len(POISON) + 1],
        )
    )
    behind = {
        each.number
        for partition, offset in _reached(scene).items()
        for each in [each for each in messages if each.partition == partition][:offset]
    }
    lost = sorted(behind - kept.keys())
    twice = sorted(number for number, count in kept.items() if count > 1)
    poison = scene.number("SELECT count(*) FROM quarantined_events")
    return Finding(
        KEPT_ONCE,
        holds=not lost and not twice,
        figures={
            "taken by the broker": len(messages),
            "kept": kept.total(),
            "in quarantine": poison,
            "lost": len(lost),
            "twice": len(twice),
        },
        examples=first([f"message {number}" for number in [*lost, *twice]]),
        counts={"acknowledged": len(messages), "processed": len(kept), "lost": len(lost), "twice": len(twice)},
    )


def _read_once(scene: Stage) -> Finding:
    """A known `event_id` is stored once however often it comes; here it should not even have come that far."""
    again = scene.number(
        "SELECT COALESCE(sum(amount), 0)::bigint FROM (SELECT amount, outcome FROM intake_deltas"
        " UNION ALL SELECT amount, outcome FROM intake_tallies) t WHERE outcome = 'duplicate'"
    )
    return Finding(READ_ONCE, holds=not again, figures={"recognised as known": again})


def _one_effect(scene: Stage) -> Finding:
    rows = scene.rows(
        "SELECT e.id, count(n.id), count(n.id) FILTER (WHERE n.state = 'completed') FROM contact_events e"
        "  LEFT JOIN workflow_enrolments n ON n.entry_event_id = e.id WHERE e.source = 'kafka' GROUP BY e.id"
    )
    wrong = sorted(event_id for event_id, entered, completed in rows if (entered, completed) != (1, 1))
    return Finding(
        "every event that was kept let its person in once, and through",
        holds=bool(rows) and not wrong,
        figures={"events": len(rows), "without one way through": len(wrong)},
        examples=first([f"event {event_id}" for event_id in wrong]),
        counts={"twice": sum(entered > 1 for _, entered, _ in rows)},
    )
