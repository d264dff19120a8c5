"""Any broker that CELERY_BROKER_URL names carries the doorbells; one that is away is in nobody's way."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config import ports
from config.lanes import heartbeat_of, queues_of
from contacts import heartbeat, redis_index
from tests.drills.rig.rabbitmq import NoRabbit, Rabbit

pytestmark = pytest.mark.timeout(150)

PATIENCE_SECONDS = 45.0
LANE, TASK = "housekeeping", "contacts.make_partitions"

RING = f"""
import json, sys, time
import django; django.setup()
from contacts import doorbell, redis_index
took = []
for _ in range(int(sys.argv[1])):
    began = time.monotonic()
    doorbell.ring({TASK!r}, {LANE!r})
    took.append(time.monotonic() - began)
    redis_index.connection().persist(redis_index.key("bell:{TASK}:{LANE}"))
print(json.dumps(took))
"""


def environment(broker: str) -> dict[str, str]:
    database = connection.settings_dict
    credentials = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return os.environ | {
        "DATABASE_URL": f"postgres://{credentials}/{database['NAME']}",
        "CELERY_BROKER_URL": broker,
        "REDIS_URL": settings.REDIS_URL,
        "REDIS_PREFIX": settings.REDIS_PREFIX,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def ring(broker: str, times: int = 1) -> list[float]:
    """From a process of its own, as a web process rings; how long each took."""
    done = subprocess.run(
        [sys.executable, "-c", RING, str(times)],
        cwd=settings.BASE_DIR,
        env=environment(broker),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def rabbit(tmp_path) -> Iterator[Rabbit]:
    try:
        running = Rabbit(tmp_path)
    except NoRabbit as error:
        pytest.skip(str(error))
    try:
        running.start()
        yield running
    finally:
        running.end()


@pytest.fixture
def worker(tmp_path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """The worker of a lane, as `bin/up` starts it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(broker: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("wb") as log:
            command = [
                "-m",
                "celery",
                "--quiet",
                "-A",
                "config",
                "worker",
                "-Q",
                queues_of(LANE),
                "-n",
                f"{LANE}@%h",
                "-P",
                "solo",
            ]
            options = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
            started.append(
                subprocess.Popen(
                    [sys.executable, *command, *options],
                    cwd=settings.BASE_DIR,
                    env=environment(broker),
                    stdout=log,
                    stderr=log,
                )
            )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(happened: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited for {what}: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def works() -> bool:
    return heartbeat.missing([heartbeat_of(LANE)]) == []


def ring_until_answered(broker: str, log: Path) -> None:
    """A bell leaves a mark when it is rung, which is kept from fading here; whoever answers takes it away."""
    index, mark = redis_index.connection(), redis_index.key(f"bell:{TASK}:{LANE}")

    def answered() -> bool:
        index.delete(mark)
        ring(broker)
        deadline = time.monotonic() + 5
        while index.exists(mark):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    until(answered, "the bell to be answered", log)


@pytest.mark.django_db(transaction=True)
def test_a_worker_answers_the_bells_of_redis(worker, tmp_path):
    worker(settings.REDIS_URL)
    until(works, "the worker", tmp_path / "worker.log")
    ring_until_answered(settings.REDIS_URL, tmp_path / "worker.log")


@pytest.mark.django_db(transaction=True)
def test_a_worker_answers_those_of_rabbitmq_also_after_it_was_killed_and_came_back(rabbit, worker, tmp_path):
    process = worker(rabbit.url)
    until(works, "the worker", tmp_path / "worker.log")
    ring_until_answered(rabbit.url, tmp_path / "worker.log")
    rabbit.kill()
    assert max(ring(rabbit.url)) < 0.5
    rabbit.start()
    ring_until_answered(rabbit.url, tmp_path / "worker.log")
    assert process.poll() is None


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_refuses_holds_nobody_up(scheme):
    with ports.hold_free(25_000) as holder:
        closed = holder.getsockname()[1]
    took = ring(f"{scheme}://127.0.0.1:{closed}/", times=20)
    assert took[0] < 0.5
    assert max(took[1:]) < 0.05, "after a failure it is silent for a while"


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_says_nothing_holds_nobody_up_for_long(scheme):
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # connections are made by the system, and nobody answers
        took = ring(f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}/", times=20)
    assert took[0] < 1.5
    assert max(took[1:]) < 0.05
