"""What a Redis Cluster takes of ours: a node that has all the slots refuses a script whose keys are not in one of them;
with a prefix in braces all of ours are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from kombu import Connection

from config import ports, valkey
from config.processes import Process, stop
from contacts import buckets, redis_index
from delivery.rates import pacing, throttle
from tests.proof.scaling.redis_keys import PREFIX, SCRIPTS, TAGGED, slots
from workflows import timers

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
REFUSED = "CROSSSLOT|in the same slot|hash to the same slot"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[str]:
    """The address of one that is a cluster by itself; our connection leads there."""
    port = ports.free(17_500)
    options = {"port": port, "bind": "127.0.0.1", "save": "", "dir": tmp_path, "cluster-enabled": "yes",
               "cluster-port": ports.free(port + 1)}  # fmt: skip
    process = Process(
        "cluster",
        [valkey.find_binary(), *(str(word) for name, value in options.items() for word in (f"--{name}", value))],
        log=tmp_path / "cluster.log",
        environment=dict(os.environ),
        directory=tmp_path,
    )
    process.start()
    try:
        assert valkey.wait_until_it_answers(process, port, ""), process.tail()
        with redis.Redis(port=port, decode_responses=True) as client, pytest.MonkeyPatch.context() as patch:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while client.cluster("info")["cluster_state"] != "ok":
                assert process.alive, process.tail()
            patch.setattr(redis_index, "_client", lambda: client)
            timers._claim_script.cache_clear()
            yield f"redis://127.0.0.1:{port}/0"
    finally:
        timers._claim_script.cache_clear()
        stop([process])


def test_a_script_whose_keys_lie_apart_is_refused(node, settings):
    settings.REDIS_PREFIX = PREFIX
    assert len(set(slots("workflows/lua/claim_due.lua", PREFIX))) > 1
    with pytest.raises(redis.ResponseError, match=REFUSED):
        timers.claim_due(lane="urgent", now=NOW)
    with pytest.raises(redis.ResponseError, match=REFUSED):
        throttle._ask("sendgrid", 1, 0.0)
    with pytest.raises(redis.ResponseError, match=REFUSED):
        pacing._shared({"example.com": 5.0}, {"example.com": 1}, "urgent", NOW.timestamp())
    buckets.take("requests:7", rate=1.0, capacity=1.0)  # one key is always in one place


def test_behind_a_prefix_in_braces_everything_runs(node, settings):
    settings.REDIS_PREFIX = TAGGED
    assert all(len(set(slots(script, TAGGED))) == 1 for script in SCRIPTS)
    timers.remember([(17, NOW)], lane="urgent")
    due = timers.claim_due(lane="urgent", now=NOW)
    assert due.claimed == 1
    timers.release(due, lane="urgent")
    assert throttle._ask("sendgrid", 1, 0.0)[0] == 1
    assert pacing._shared({"example.com": 5.0}, {"example.com": 1}, "urgent", NOW.timestamp()) == {"example.com": [0.0]}


@pytest.mark.parametrize("prefix", [PREFIX, TAGGED])
def test_doorbells_are_taken_and_acknowledged_only_behind_braces(node, prefix):
    def ring() -> None:
        with (
            Connection(node, transport_options={"global_keyprefix": prefix}) as connection,
            connection.SimpleQueue("urgent") as queue,
        ):
            queue.put({"lane": "urgent"})
            queue.get(timeout=5).ack()

    if prefix == TAGGED:
        ring()
    else:
        with pytest.raises(redis.ResponseError, match=REFUSED):
            ring()
