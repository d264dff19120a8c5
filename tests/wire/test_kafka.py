"""Events from Kafka over the wire: each message is taken once, whatever happens meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, transaction

from contacts import awaited, clock, signals, tallies
from contacts.collect.kafka import batches, reading
from contacts.collect.kafka.batches import Taken
from contacts.collect.kafka.messages import Message
from contacts.collect.kafka.offsets import Step
from contacts.collect.kafka.reading import Place, Reader
from contacts.models import ContactEvent, KafkaOffset, QuarantinedEvent
from tests.wire import kafka_brokers as brokers
from tests.wire.kafka_brokers import BROKERS, Broker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

TOPIC = "marketing.events"
PATIENCE_SECONDS = 60.0
STARTED_AT = datetime.now(UTC).isoformat()  # else what is read a minute later would be another event


@pytest.fixture(params=["mock"])
def broker(request) -> Iterator[Broker]:
    """One of the two; a test that asks for both says so."""
    with BROKERS[request.param](TOPIC) as running:
        yield running


@pytest.fixture(autouse=True)
def _somebody_waits(transactional_db) -> None:
    with transaction.atomic():
        awaited.declare("test", [f"happened_{number}" for number in range(40)])


@pytest.fixture
def readers() -> Iterator[Callable[..., Reader]]:
    opened: list[Reader] = []

    def make(broker: Broker, group: str = "carillon", batch: int = 50) -> Reader:
        options = {"session.timeout.ms": "6000", "log_level": "0"}
        opened.append(Reader(Place(broker.servers, TOPIC, group, batch, options)))
        return opened[-1]

    yield make
    for reader in opened:
        reader.close()


def event(number: int, **rest: object) -> dict[str, object]:
    """No two of them share a key, of which they have none of their own."""
    return {
        "type": f"happened_{number}",
        "contact": {"external_id": f"p{number % 7}"},
        "occurred_at": STARTED_AT,
        **rest,
    }


def read(reader: Reader, until: Callable[[], bool] | None = None) -> Taken:
    """Read on until that is so, or until everything there is was read."""
    total = Taken()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (until() if until else reader.at_end):
        assert time.monotonic() < deadline, f"still waiting; taken so far: {total}"
        total += reader.read_once()
    return total


def stored() -> list[str]:
    return sorted(ContactEvent.objects.values_list("type", flat=True))


def counted(outcome: str) -> int:
    with transaction.atomic():
        now = clock.now()
    return sum(each.amount for each in tallies.hours(now, now) if (each.source, each.outcome) == ("kafka", outcome))


@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_each_message_is_stored_once_and_poison_is_kept_apart(broker, readers):
    broker.produce(event(0), b"{not json", event(1, event_id="e1"), None, partition=0)
    broker.produce({"type": "nobody_did"}, event(2, lane="bulk"), partition=1)
    broker.produce(event(3), partition=2, headers={"lane": "bulk"})
    broker.produce(event(4, occurred_at="2999-01-01T00:00:00Z"), partition=3)
    taken = read(readers(broker))
    assert (taken.read, taken.stored, taken.duplicates, taken.refused) == (8, 4, 0, 3)
    assert stored() == [f"happened_{number}" for number in range(4)]
    assert set(ContactEvent.objects.values_list("source", flat=True)) == {"kafka"}
    kept = {row.origin: [error["code"] for error in row.errors] for row in QuarantinedEvent.objects.all()}
    assert kept == {
        f"{TOPIC}/0/1": ["syntax"],
        f"{TOPIC}/1/0": ["missing"],
        f"{TOPIC}/3/0": ["future"],
    }
    assert QuarantinedEvent.objects.get(origin=f"{TOPIC}/0/1").raw == "{not json"
    with connection.cursor() as cursor:
        cursor.execute("SELECT lane, count(*) FROM pending_events GROUP BY lane ORDER BY lane")
        assert cursor.fetchall() == [("bulk", 2), ("urgent", 2)]
    assert (counted("accepted"), counted("rejected:syntax"), counted("rejected:missing")) == (4, 1, 1)


def test_whoever_comes_next_reads_nothing_twice(broker, readers):
    broker.produce(*map(event, range(20)), b"poison", partition=0)
    broker.produce(*map(event, range(20, 30)), partition=3)
    first = readers(broker, batch=7)
    read(first, lambda: len(stored()) >= 14)
    first.close()
    already = len(stored()) + QuarantinedEvent.objects.count()
    taken = read(readers(broker, batch=7))
    assert taken.read == 31 - already
    assert len(stored()) == 30 and QuarantinedEvent.objects.count() == 1 and counted("duplicate") == 0


def test_another_group_reads_everything_for_itself_and_finds_it_stored(broker, readers):
    broker.produce(*map(event, range(3)), partition=0)
    assert read(readers(broker)).stored == 3
    assert read(readers(broker, group="another")).duplicates == 3


def test_a_zombie_lets_go_of_what_another_member_has_read(broker, readers):
    broker.produce(*map(event, range(10)), partition=0)
    zombie = readers(broker, batch=1)
    read(zombie, lambda: len(stored()) == 1)
    others = [Message(TOPIC, 0, at, b'{"type": "another_read_it", "contact": {"external_id": "x"}}') for at in (1, 2)]
    with transaction.atomic():
        batches.store("carillon", TOPIC, others, {0: Step(1, 6)}, now=clock.now())
    assert zombie.read_once() == Taken()
    read(zombie)
    assert [name for name in stored() if name.startswith("happened")] == [
        f"happened_{number}" for number in (0, 6, 7, 8, 9)
    ]
    assert KafkaOffset.objects.get(partition=0).next_offset == 10


def test_what_was_rolled_back_is_read_again(broker, readers):
    broker.produce(*map(event, range(5)), b"poison", partition=0)
    failures = [OperationalError("the connection is lost"), OperationalError("and again")]

    def fail(**_: object) -> None:
        if failures:
            raise failures.pop()

    signals.events_recorded.connect(fail)
    try:
        taken = read(readers(broker))
    finally:
        signals.events_recorded.disconnect(fail)
    assert failures == []
    assert (taken.stored, taken.duplicates, taken.refused) == (5, 0, 1)
    assert len(stored()) == 5 and QuarantinedEvent.objects.count() == 1


def test_reading_waits_while_intake_is_far_behind(broker, readers, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PENDING", 10)
    monkeypatch.setattr(reading, "LOOK_SECONDS", 0.0)
    broker.produce(*map(event, range(40)), partition=0)
    reader = readers(broker, batch=10)
    read(reader, lambda: len(stored()) >= 10)
    held = len(stored())  # a batch is what has arrived: one of fewer than ten may have come before one of ten
    assert held < 20
    for _ in range(3):
        assert reader.read_once() == Taken()
    assert len(stored()) == held and not reader.at_end
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(stored()) < 40 and time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM pending_events")
        reader.read_once()
    assert len(stored()) == 40 and counted("duplicate") == 0


def test_a_partition_that_was_made_anew_is_read_from_its_beginning(broker, readers, now):
    KafkaOffset.objects.create(group="carillon", topic=TOPIC, partition=0, next_offset=500, updated_at=now)
    broker.produce(*map(event, range(3)), partition=0)
    assert read(readers(broker)).stored == 3
    assert KafkaOffset.objects.get(partition=0).next_offset == 3


def test_a_broker_that_comes_late_is_waited_for(readers):
    port = brokers.free_port()
    waiting = Broker(f"127.0.0.1:{port}", TOPIC)
    reader = readers(waiting)
    assert reader.read_once() == Taken() and not reader.at_end
    with brokers.tansu(port) as servers:
        brokers.make_topic(servers, TOPIC)
        waiting.produce(event(1), partition=0)
        read(reader, lambda: stored() == ["happened_1"])


def test_a_group_that_never_lets_go_keeps_nobody_from_leaving(broker, readers, monkeypatch, caplog):
    monkeypatch.setattr(reading, "CLOSE_SECONDS", 0.05)
    never = threading.Event()
    reader = readers(broker)
    monkeypatch.setattr(reader, "_consumer", SimpleNamespace(close=never.wait))
    reader.close()
    never.set()
    assert "it will notice" in caplog.text
