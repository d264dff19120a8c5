"""Processes share the partitions of a topic; one is killed in the middle, and nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from contacts import clock, tallies
from contacts.models import ContactEvent, KafkaOffset, QuarantinedEvent
from tests.wire.kafka_brokers import PARTITIONS, Broker, mock_broker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

TOPIC = "marketing.events"
EVENTS, POISON_EVERY = 6_000, 97
SECRET = "secret.canary@example.com"
PATIENCE_SECONDS = 40.0
STARTED_AT = datetime.now(UTC).isoformat()


class Member:
    """A process of the group, and the file that it writes to."""

    def __init__(self, broker: Broker, log: Path, *arguments: str) -> None:
        database = connection.settings_dict
        credentials = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "consume_events", "--skip-checks", *arguments],
                cwd=settings.BASE_DIR,
                stdout=output,
                stderr=output,
                env=os.environ
                | {
                    "DATABASE_URL": f"postgres://{credentials}/{database['NAME']}",
                    "REDIS_PREFIX": settings.REDIS_PREFIX,
                    "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
                    "KAFKA_TOPIC": TOPIC,
                    "KAFKA_OPTIONS": "session.timeout.ms=6000,heartbeat.interval.ms=500",
                    "QUEUE_PREFETCH": "20",
                },
            )

    def has_a_share(self) -> bool:
        """Whether it was ever given partitions."""
        return "reading [" in self.log.read_text()

    def end(self) -> int:
        """Ask it to stop; its exit status."""
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mock_broker(TOPIC) as running:
        yield running


@pytest.fixture
def member(broker, tmp_path) -> Iterator[Callable[..., Member]]:
    members: list[Member] = []

    def start(*arguments: str) -> Member:
        members.append(Member(broker, tmp_path / f"member{len(members)}.log", *arguments))
        return members[-1]

    yield start
    for each in members:
        each.process.kill()
        each.process.wait()


def produce(broker: Broker, numbers: range) -> None:
    for partition in range(PARTITIONS):
        broker.produce(
            *(
                b"\x00 poison " + SECRET.encode()
                if number % POISON_EVERY == 0
                else {
                    "type": f"happened_{number}",
                    "contact": {"email": SECRET} if number % 50 == 1 else {"external_id": f"p{number % 300}"},
                    "occurred_at": STARTED_AT,
                }
                for number in numbers
                if number % PARTITIONS == partition
            ),
            partition=partition,
        )


def taken() -> int:
    return ContactEvent.objects.count() + QuarantinedEvent.objects.count()


def until(happened: Callable[[], bool], what: str, *members: Member) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited for {what}; " + "\n".join(each.log.read_text()[-3000:] for each in members))
        time.sleep(0.05)


def duplicates() -> int:
    with transaction.atomic():
        now = clock.now()
    return sum(each.amount for each in tallies.hours(now, now) if each.outcome == tallies.DUPLICATE)


def test_a_member_is_killed_and_nothing_is_lost_or_doubled(broker, member):
    poison = [number for number in range(EVENTS) if number % POISON_EVERY == 0]
    produce(broker, range(EVENTS // 3))
    first, second = member(), member()
    until(lambda: taken() >= EVENTS // 6, "the first events", first, second)
    # a process that starts slowly finds everything read otherwise: each has its share before the next events come
    until(lambda: first.has_a_share() and second.has_a_share(), "shares of both", first, second)
    produce(broker, range(EVENTS // 3, EVENTS * 2 // 3))
    until(lambda: taken() >= EVENTS // 2, "half of the events", first, second)
    first.process.send_signal(signal.SIGKILL)
    third = member()
    until(third.has_a_share, "a share of the third", second, third)
    produce(broker, range(EVENTS * 2 // 3, EVENTS))
    until(lambda: taken() >= EVENTS, "all events", first, second, third)

    types = list(ContactEvent.objects.values_list("type", flat=True))
    assert len(types) == len(set(types)) == EVENTS - len(poison)
    origins = list(QuarantinedEvent.objects.values_list("origin", flat=True))
    assert len(origins) == len(set(origins)) == len(poison)
    assert duplicates() == 0, "messages were read again, and only their keys kept them from being stored twice"
    assert sum(KafkaOffset.objects.values_list("next_offset", flat=True)) == EVENTS

    assert (second.end(), third.end()) == (0, 0)
    again = member("--once")
    until(lambda: again.process.poll() is not None, "the end", again)
    assert again.process.returncode == 0
    assert again.log.read_text().splitlines()[-1].startswith("0 messages read")
    assert not any(SECRET in each.log.read_text() for each in (first, second, third, again))
