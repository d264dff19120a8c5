"""Reports are read from a replica that follows by streaming; when it is away they say so, and work goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from config import env, ports, postgres
from config.processes import Process, stop
from config.state import State
from contacts import clock
from tests.analytics.reports import marts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

PATIENCE_SECONDS = 60.0
ASK = """
import json, django; django.setup()
from analytics.reports import asked, reading
from analytics.reports.register import reports
told = {}
for report in reports():
    try:
        reading.read(report, asked.read(report, {}))
        told[report.slug] = "read"
    except reading.Unreadable as error:
        told[report.slug] = type(error).__name__
print(json.dumps(told))
"""


class Follower(postgres.Cluster):
    """A copy of another server, which goes on following it."""

    def follow(self, url: str, port: int) -> Process:
        self.data = self.home / "follower"
        self.data.mkdir(mode=0o700)
        self.give(self.data)
        address = urlsplit(url)
        whom = f"postgres://{address.netloc}/postgres?sslmode=disable"
        copied = self.command(
            "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", whom
        )
        assert copied.returncode == 0, copied.stderr
        process = self.process(port, durable=False)
        process.log = self.state.logs / "follower.log"
        process.start()
        return process


@pytest.fixture(scope="module")
def primary(tmp_path_factory) -> Iterator[tuple[State, str]]:
    state = State(tmp_path_factory.mktemp("replicated"))
    for folder in (state.path, *state.path.parents):
        if folder.name.startswith("pytest-"):
            folder.chmod(0o755)  # else the server's account needs a shelter elsewhere
    state.lock()
    process, url = postgres.start(state, durable=False, say=lambda text: None)
    yield state, url
    stop([process])


def told(url: str = "") -> dict[str, str]:
    """What a process that reads reports from `url` is told by each of them: how many columns it has, or why nothing."""
    database = connection.settings_dict
    where = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=env.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": f"postgres://{where}", "DJANGO_SETTINGS_MODULE": "config.settings"}
        | ({"ANALYTICS_DATABASE_URL": url} if url else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_reports_are_read_from_the_replica_and_say_when_it_is_away(primary, monkeypatch):
    state, url = primary
    port = ports.free(27_500)
    replica_url = f"{url.rpartition(':')[0]}:{port}/{postgres.NAME}?sslmode=disable"
    replica = Follower(state).follow(url, port)
    try:
        with psycopg.connect(url, autocommit=True) as session:
            monkeypatch.setattr(marts, "connection", session)
            marts.build(clock.now())
            (written,) = session.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not has_come_to(replica_url, written):
            assert replica.alive and time.monotonic() < deadline, replica.tail()
            time.sleep(0.05)
        assert set(told(replica_url).values()) == {"read"}
        assert set(told().values()) == {"NotBuilt"}, "it was the replica that answered"
    finally:
        stop([replica])
    assert set(told(replica_url).values()) == {"Unreadable"}


def has_come_to(url: str, position: str) -> bool:
    try:
        with psycopg.connect(url) as session:
            follows, is_there = session.execute(
                "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() >= %s::pg_lsn", [position]
            ).fetchone()
    except psycopg.OperationalError:
        return False
    assert follows
    return bool(is_there)
