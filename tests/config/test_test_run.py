"""`bin/test`: pytest's exit status comes through, the developer's settings do not, and an interruption is clean."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.test_run import at_once

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bin_test(tmp_path):
    """Starts it on one file of tests, with servers that are named and so not started."""

    def start(code, **environment):
        (tmp_path / "test_something.py").write_text(code)
        return subprocess.Popen(
            [sys.executable, "-m", "config.test_run", "-p", "no:cacheprovider", str(tmp_path / "test_something.py")],
            cwd=ROOT,
            env=os.environ
            | {"CARILLON_STATE_DIR": str(tmp_path / "var"), "DATABASE_URL": "postgres://x/y", "REDIS_URL": "redis://x"}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    (tmp_path / "conftest.py").write_text("")
    return start


@pytest.mark.parametrize(
    ("code", "status"), [("def test(): pass", 0), ("def test(): assert 0", 1), ("def help(): 0", 5)]
)
def test_the_exit_status_is_pytests(bin_test, code, status):
    process = bin_test(code)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == status, told


def test_a_developers_settings_do_not_reach_the_tests(bin_test):
    code = (
        "import os\n"
        "def test():\n"
        "    assert not {'SENDGRID_API_KEY', 'TIME_SPEED', 'SECRET_KEY_FILE'} & set(os.environ)\n"
        "    assert os.environ['DATABASE_URL'] == 'postgres://x/y'\n"
    )
    process = bin_test(code, SENDGRID_API_KEY="real", TIME_SPEED="fast", SECRET_KEY_FILE="/nonexistent")
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told


def test_an_interruption_lets_pytest_finish_its_report(bin_test):
    process = bin_test(
        "import time\ndef test(capfd):\n    with capfd.disabled(): print('begun', flush=True)\n    time.sleep(600)\n"
    )
    for line in process.stdout:
        if "begun" in line:
            break
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in told
    assert process.returncode == pytest.ExitCode.INTERRUPTED


def test_a_second_run_in_the_same_folder_names_the_first(bin_test, tmp_path):
    from config.state import State

    State(tmp_path / "var" / "test").lock()
    process = bin_test("def test(): pass")
    told, _ = process.communicate(timeout=60)
    assert told == f"bin/test already runs in this folder (pid {os.getpid()}).\n"
    assert process.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "shared"),
    [
        ([], True),
        (["-m", "not warehouse", "--durations=5"], True),
        (["tests/config"], False),
        (["tests/config/test_test_run.py::test_the_exit_status_is_pytests"], False),
        (["-n", "2"], False),
        (["-n0"], False),
        (["--pdb"], False),
    ],
)
def test_the_whole_suite_is_shared_among_processes(arguments, shared, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert bool(at_once(arguments)) is shared
