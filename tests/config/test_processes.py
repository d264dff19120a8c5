"""Children are logged, started again, stopped in order, and do not outlive whoever tends them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.processes import Fleet, Process, rotate, stop

ROOT = Path(__file__).resolve().parents[2]


def until(condition, seconds=20.0):
    """Wait for what must come; whether it came."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def exists(pid):
    """Whether the process lives: one that nobody has waited for is dead as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def child(tmp_path):
    """Makes processes out of Python code, and leaves none behind."""
    made = []

    def make(code, name="child", **options):
        process = Process(
            name,
            [sys.executable, "-c", code],
            log=tmp_path / f"{name}.log",
            environment=dict(os.environ),
            directory=tmp_path,
            **options,
        )
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP


def up(process):
    return lambda: "up" in process.tail()


def test_whoever_dies_is_started_again_later_each_time(child):
    said = []
    fleet = Fleet(said.append)
    process = child("raise SystemExit(7)", "bulk")
    fleet.launch(process)
    now = process.started_at
    waits = []
    for _ in range(4):
        pid = process.child.pid
        assert until(lambda: not process.alive)
        fleet.tend(now)
        waits.append(float(said[-1].split(" in ")[1].split(" s")[0]))
        fleet.tend(now + waits[-1] - 0.01)
        assert process.child.pid == pid, "it came back too early"
        now += waits[-1]
        fleet.tend(now)
        assert process.child.pid != pid
    assert waits == [0.5, 1, 2, 4]
    assert said[0].startswith("bulk ended (exit status 7): starting it again in 0.5 s; see ")


def test_whoever_ran_for_long_comes_back_soon(child):
    said = []
    fleet = Fleet(said.append)
    process = child(SLEEP)
    fleet.launch(process)
    now = process.started_at
    for ran_for in (1, 1, 1, 1000):
        process.kill()
        fleet.tend(now + ran_for)
        fleet.tend(now + ran_for + 60)
        now = process.started_at
    assert [line.split(" in ")[1].split(";")[0] for line in said] == ["0.5 s", "1 s", "2 s", "0.5 s"]
    assert "killed by SIGKILL" in said[0]


def test_the_last_stage_is_stopped_first(child, tmp_path):
    order = tmp_path / "order"
    leave = (
        "import signal, sys, time\n"
        "def leave(*_):\n"
        "    with open({path!r}, 'a') as file: file.write('{name}\\n')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave); print('up', flush=True); time.sleep(600)"
    )
    fleet = Fleet(pytest.fail)
    for stage in (["postgres"], ["redis"], ["urgent", "bulk"], ["web"]):
        processes = [child(leave.format(path=str(order), name=name), name) for name in stage]
        fleet.launch(*processes)
        assert all(until(up(process)) for process in processes)
    fleet.stop()
    stopped = order.read_text().split()
    assert stopped[0] == "web"
    assert set(stopped[1:3]) == {"urgent", "bulk"}
    assert stopped[3:] == ["redis", "postgres"]
    assert fleet.processes == []


def test_whoever_does_not_stop_is_killed_with_what_it_started(child):
    process = child(
        "import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(other.pid, flush=True); " + STUBBORN,
        grace=0.2,
    )
    process.start()
    assert until(up(process))
    grandchild = int(process.tail().split()[0])
    assert stop([process]) == ["child"]
    assert not process.alive
    assert until(lambda: not exists(grandchild))


def test_haste_ends_the_patience(child):
    process = child(STUBBORN, grace=3600)
    process.start()
    assert until(up(process))
    assert stop([process], hurry=lambda: True) == ["child"]


def test_haste_leaves_time_to_whoever_keeps_data(child):
    leave = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0))); "
    process = child(leave + SLEEP, precious=True)
    process.start()
    assert until(up(process))
    assert stop([process], hurry=lambda: True) == []
    assert process.status == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_a_killed_supervisor_takes_its_children_along(tmp_path):
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys, time; from pathlib import Path; from config.processes import Process\n"
            "code = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'\n"
            f"process = Process('child', [sys.executable, '-c', code], log=Path({str(tmp_path / 'log')!r}),"
            " environment=os.environ, directory=Path('/'))\n"
            "process.start(); print(process.child.pid, flush=True); time.sleep(600)",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    orphan = int(supervisor.stdout.readline())
    assert exists(orphan)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert until(lambda: not exists(orphan))


def test_a_child_does_not_hear_the_terminals_interrupt(child):
    process = child(SLEEP)
    process.start()
    assert os.getpgid(process.child.pid) != os.getpgid(0)
    assert os.getsid(process.child.pid) == process.child.pid


def test_the_tail_is_what_was_written_since_the_last_start(child):
    process = child("import sys; print('first' if len(sys.argv) < 2 else 'second')")
    process.start()
    process.child.wait()
    assert process.tail() == "first"
    process.command.append("again")
    process.start()
    process.child.wait()
    assert process.tail() == "second"
    assert process.log.read_text() == "first\nsecond\n"
    assert process.log.stat().st_mode & 0o077 == 0


def test_a_large_log_is_moved_aside_while_it_is_written(child, tmp_path):
    process = child(
        "import sys, time\nfor line in ['first', 'second']:\n    print(line, flush=True); sys.stdin.readline()\n"
        "    while not __import__('os').path.exists('go'): time.sleep(0.01)"
    )
    process.start()
    assert until(lambda: process.log.read_text() == "first\n")
    assert not rotate(process.log, limit=100)
    assert rotate(process.log, limit=1)
    (tmp_path / "go").touch()
    process.child.wait()
    assert process.log.read_text() == "second\n", "no hole where the old lines were"
    assert (tmp_path / "child.log.1").read_text() == "first\n"
    assert rotate(process.log, limit=1)
    assert (tmp_path / "child.log.2").read_text() == "first\n"


def test_a_status_is_told_as_a_shell_does(child):
    process = child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    process.start()
    process.child.wait()
    assert (process.status, process.fate) == (128 + signal.SIGKILL, "killed by SIGKILL")
