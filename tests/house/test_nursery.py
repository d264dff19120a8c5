"""A process that is forked from the nursery is what its command would have started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.rig import processor
from tests.drills.rig.processes import Crew, Program, worker
from tests.nursery import ROOT, Child, Nursery

PATIENCE_SECONDS = 60.0

SAYS = """
import gc, json, os, resource, signal, sys, threading
from pathlib import Path
from django.conf import settings
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "flags": str(sys.flags), "main": sys.modules["__main__"].__name__,
    "folder": os.getcwd(), "environment": dict(os.environ), "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "files": {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
              if os.path.exists(f"/proc/self/fd/{n}") and "socket" not in os.readlink(f"/proc/self/fd/{n}")},
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
    "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")], "umask": status["Umask"],
    "streams": [[s.encoding, s.line_buffering, s.write_through] for s in (sys.stdout, sys.stderr)],
    "threads": threading.active_count(), "garbage": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
    "database": settings.DATABASES["default"]["NAME"], "prefix": settings.REDIS_PREFIX,
    "mutant": str(settings.TIME_SPEED), "chaos": __import__("contacts.chaos").chaos.mutant("dedup_in_redis"),
}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")},
        "CARILLON_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "SECRET_KEY": "nobody signs anything with this key here, and it is long",
        "REDIS_PREFIX": "nursery:",
        "TIME_SPEED": "3",
        "CARILLON_CHAOS": "on",
        "CARILLON_MUTANT": "dedup_in_redis",
    }


@pytest.fixture(scope="module")
def nursery(environment, tmp_path_factory) -> Iterator[Nursery]:
    with Nursery(environment, tmp_path_factory.mktemp("logs") / "nursery.log") as opened:
        yield opened


def forked(nursery: Nursery, log: Path, *arguments: str, descriptors: tuple[int, ...] = ()) -> Child:
    with log.open("ab") as out:
        return nursery.start([sys.executable, *arguments], out.fileno(), descriptors)


def shell(code: str) -> tuple[str, ...]:
    return ("manage.py", "shell", "--no-imports", "-c", code)


def until(happened) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_forked_process_finds_itself_as_one_that_its_command_started(nursery, environment, tmp_path):
    log = tmp_path / "log"
    assert forked(nursery, log, *shell(SAYS)).wait(PATIENCE_SECONDS) == 0, log.read_text()
    is_forked = json.loads(log.read_text())
    log.unlink()
    with log.open("ab") as out:
        subprocess.run(
            [sys.executable, *shell(SAYS)], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, check=True, start_new_session=True, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
    assert is_forked == json.loads(log.read_text())
    assert is_forked["chaos"] is True
    assert is_forked["leads"] == [True, True]


def test_how_it_ended_is_told(nursery, tmp_path):
    assert forked(nursery, tmp_path / "log", *shell("raise SystemExit(3)")).wait(PATIENCE_SECONDS) == 3
    fallen = forked(nursery, tmp_path / "fallen", *shell("raise ValueError('too far')"))
    assert fallen.wait(PATIENCE_SECONDS) == 1
    assert "ValueError: too far" in (tmp_path / "fallen").read_text()
    sleeper = forked(nursery, tmp_path / "log", *shell("import time; time.sleep(600)"))
    assert sleeper.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.01)
    sleeper.kill()
    assert (sleeper.wait(PATIENCE_SECONDS), sleeper.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
    sleeper.terminate()  # of which nothing is left: nobody else is met


def test_what_it_reads_says_and_complains_of_are_three_things(nursery, tmp_path):
    code = "import sys; print(sys.stdin.read().upper()); print('oh', file=sys.stderr)"
    (tmp_path / "in").write_text("hello")
    with (tmp_path / "in").open() as given, (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        command = [sys.executable, *shell(code)]
        child = nursery.start(command, out.fileno(), error=err.fileno(), given=given.fileno())
        assert child.wait(PATIENCE_SECONDS) == 0
    assert ((tmp_path / "out").read_text(), (tmp_path / "err").read_text()) == ("HELLO\n", "oh\n")


def test_a_worker_gets_ready_comes_back_when_it_is_killed_and_ends_when_it_is_asked_to(nursery, environment, tmp_path):
    crew = Crew([worker("bulk")], environment, tmp_path, nursery)
    crew.start()
    try:
        [process] = crew.processes
        first = process.pid
        assert Path(f"/proc/{first}/cmdline").read_bytes().split(b"\0")[2] == b"tests.nursery"
        process.send(signal.SIGKILL)
        until(lambda: process.pid != first and process.is_ready())
    finally:
        crew.stop()
    assert process.pid is None
    assert "Warm shutdown" in process.said()


def test_descriptors_keep_their_numbers(nursery, tmp_path):
    reading, writing = os.pipe()
    other, another = os.pipe()
    code = f"import os; os.write({writing}, b'here'); os.write({another}, b'there')"
    try:
        assert forked(nursery, tmp_path / "log", *shell(code), descriptors=(writing, another)).wait(60) == 0
        assert (os.read(reading, 16), os.read(other, 16)) == (b"here", b"there")
    finally:
        for descriptor in (reading, writing, other, another):
            os.close(descriptor)


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_no_child_outlives_the_nursery(environment, tmp_path, how):
    with Nursery(environment, tmp_path / "nursery.log") as short:
        child = forked(short, tmp_path / "log", *shell("print('up', flush=True); import time; time.sleep(600)"))
        until(lambda: "up" in (tmp_path / "log").read_text())
        if how == "killed":
            [nursery_pid] = [pid for pid in processor.children(os.getpid()) if child.pid in processor.children(pid)]
            os.kill(nursery_pid, signal.SIGKILL)
            assert child.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert child.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    until(lambda: not Path(f"/proc/{child.pid}").exists() or "zombie" in Path(f"/proc/{child.pid}/status").read_text())


def test_what_it_would_not_start_faithfully_it_does_not_start(nursery, environment):
    skewed = Program("late", "worker", [sys.executable, "-m", "tests.drills.rig.skewed", "300", "manage.py", "check"])
    for command, settings in (
        (skewed.command, environment),
        (["/usr/bin/env", "manage.py", "check"], environment),
        ([sys.executable, "-c", "pass"], environment),
        ([sys.executable, "manage.py", "check"], environment | {"TIME_SPEED": "1"}),
    ):
        assert not nursery.serves(command, settings)
    assert nursery.serves([sys.executable, "manage.py", "check"], dict(environment))


def test_settings_that_cannot_be_read_are_told(environment, tmp_path):
    with pytest.raises(RuntimeError, match="CARILLON_CHAOS"):
        Nursery(environment | {"CARILLON_CHAOS": "wherever=explode"}, tmp_path / "nursery.log")
