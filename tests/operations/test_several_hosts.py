"""Two hosts with addresses of their own and one PostgreSQL and Redis: either does the whole work alone while the other
is cut off, whether that comes back or never does, and nobody goes through twice or is left out."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.drills.no_step_twice import JOURNEY
from tests.drills.rig import checker, people, stage
from tests.drills.rig.processes import PYTHON, ROOT
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import Stage
from tests.drills.rig.stub_plan import StubPlan
from tests.operations.hosts import Host, NoHosts, Wire, listening, two_hosts

PEOPLE, PER_REQUEST = 600, 10
PATIENCE_SECONDS = 60.0
DEADLINE_SECONDS = 4  # for a message of which nobody knows whether it left
HELD = ("delivery.claimed", "engine.claimed")  # where the first host stands when its plug is pulled
FURNISH = """
import sys, django
django.setup()
from django.core.management import call_command
call_command("import_workflow", sys.argv[1], "--publish")
call_command("create_api_key", "--name", "hosts", "--scopes", "events:write")
"""
FINISHED = "SELECT count(*) FROM workflow_enrolments WHERE finished_at IS NOT NULL"
UNDER_WAY = "SELECT count(*) FROM outbox"
CONNECTED = """
SELECT count(DISTINCT client_addr) FROM pg_stat_activity
 WHERE datname = %s AND client_addr = ANY(%s::inet[])
"""
STANDS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = %s AND client_addr = %s::inet AND state = 'idle in transaction'
"""


@dataclass
class Scene:
    """`one` stands at the points of HELD whenever `gate` has no leave for them."""

    stage: Stage
    one: Host
    other: Host
    key: str
    gate: Path
    brought: int = 0

    def post(self, host: Host, first: int, last: int) -> tuple[int, int]:
        """These people's events, to this host's web. How many were new, and how many were known."""
        numbers = range(first, last + 1)
        events = [
            {"event_id": f"start:{n}", "type": "drill_started", "contact": {"external_id": people.external_id(n)}}
            for n in numbers
        ]
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        body = json.dumps({"events": events}).encode()
        request = urllib.request.Request(f"{host.url}/api/v1/events", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 202
            answer = json.load(response)
        return answer["accepted"], answer["duplicates"]

    def bring(self, *hosts: Host) -> None:
        """The next people's events to each of these, one after the other: they are told twice, and count once."""
        first, last = self.brought + 1, self.brought + PER_REQUEST
        answers = [self.post(host, first, last) for host in hosts]
        assert answers == [(PER_REQUEST, 0), *[(0, PER_REQUEST)] * (len(hosts) - 1)]
        self.brought = last

    def all_finish(self) -> bool:
        return self.stage.wait_until(lambda: self.stage.number(FINISHED) == self.brought, PATIENCE_SECONDS)

    def hold(self, point: str) -> None:
        """Bring people until the first host has some in its hands at this point, where it then stands."""
        (self.gate / f"{point}.go").unlink()
        for arrival in self.gate.glob(f"{point}.*.here"):
            arrival.unlink()
        while not any(self.gate.glob(f"{point}.*.here")):
            assert self.brought < PEOPLE - 200, f"it never came to {point}"
            self.bring(self.one)
            self.stage.wait_until(lambda: any(self.gate.glob(f"{point}.*.here")), 2.0, every=0.05)

    def let_go(self) -> None:
        for point in HELD:
            (self.gate / f"{point}.go").touch()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        try:
            wire, one, other = stack.enter_context(two_hosts())
        except NoHosts as error:
            pytest.skip(str(error))
        servers = stack.enter_context(listening(wire, tmp_path / "servers"))
        yield from _staged(servers, wire, one, other, tmp_path)


def _staged(servers: Servers, wire: Wire, one: Host, other: Host, folder: Path) -> Iterator[Scene]:
    key: list[str] = []

    def furnishing(env):
        command = [PYTHON, "-c", FURNISH, str(JOURNEY)]
        settings = {**env, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        key.append(done.stdout.splitlines()[-1])
        with servers.connect(stage.TEMPLATE) as connection:
            people.settle(connection, PEOPLE)

    stage.furnish(servers, folder / "furnishing", furnishing)
    settings = {
        "ALLOWED_HOSTS": f"{one.address},{other.address}",
        "ESP_RATE_LIMIT": "5000",
        "ESP_TIMEOUT_SECONDS": "3",
        "IN_DOUBT_DEADLINE": f"PT{DEADLINE_SECONDS}S",
    }
    plan = StubPlan(latency_ms=(5, 40))
    with Stage(servers, folder / "stage", "hosts", plan=plan, settings=settings, esp=wire.address) as play:
        env = wire.env(play.env, idle_in_transaction_session_timeout="5s", lock_timeout="3s", statement_timeout="15s")
        gate = folder / "gate"
        gate.mkdir()
        found = Scene(play, one, other, key[0], gate)
        found.let_go()
        chaos = ",".join(f"{point}=barrier:60" for point in HELD)
        try:
            with ThreadPoolExecutor() as both:
                starts = [
                    both.submit(one.start, {**env, "CARILLON_CHAOS": f"{chaos};dir={gate}"}, folder / "one"),
                    both.submit(other.start, env, folder / "other"),
                ]
            for start in starts:
                start.result()
            yield found
        finally:
            one.mend()
            other.mend()
            for host in (one, other):
                host.stop()


@pytest.mark.timeout(240)  # sixty seconds, on a machine that does nothing else
def test_either_host_does_the_whole_work_when_the_other_is_cut_off(scene: Scene):
    play, one, other = scene.stage, scene.one, scene.other

    # both are there, and bring the same people's events
    for hosts in [(one, other), (other, one)] * 4:
        scene.bring(*hosts)
    addresses = [one.address, other.address]
    assert play.wait_until(lambda: play.number(CONNECTED, [play.database, addresses]) == 2, PATIENCE_SECONDS)
    assert scene.all_finish()

    # one is cut off in the middle: it has claimed messages on a lease, and people in an open transaction
    for point in HELD:
        scene.hold(point)
    assert play.number(STANDS, [play.database, one.address]) >= 1
    one.cut()
    scene.let_go()
    for _ in range(4):
        scene.bring(other)
    assert scene.all_finish()

    # it comes back, and the other goes for good
    one.mend()
    for hosts in [(one, other), (other, one)]:
        scene.bring(*hosts)
    other.cut()
    for _ in range(4):
        scene.bring(one)
    assert scene.all_finish()
    assert play.wait_until(lambda: play.number(UNDER_WAY) == 0, PATIENCE_SECONDS)

    requests = checker.requests_of(play)
    findings = [
        checker.everybody_finished(play, scene.brought),
        checker.journal_is_gapless(play),
        checker.counters_equal_the_journal(play),
        checker.one_message_per_step(play),
        checker.nothing_sent_twice(requests),
        checker.ledger_agrees_with_the_esp(play, requests),
    ]
    assert [finding for finding in findings if not finding.holds] == []
    messages, taken = play.number("SELECT count(*) FROM messages"), sum(request.taken for request in requests)
    doubts = play.number("SELECT count(*) FROM message_states WHERE state IN ('in_doubt', 'undetermined')")
    assert messages - doubts <= taken <= messages


def test_a_machine_without_ip_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoHosts, match="no `ip` here"), two_hosts():
        pass


def test_a_machine_that_refuses_says_why(monkeypatch, tmp_path):
    refusing = tmp_path / "ip"
    refusing.write_text("#!/bin/sh\necho 'Operation not permitted' >&2\nexit 2\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoHosts, match="no network namespaces here: Operation not permitted"), two_hosts():
        pass
