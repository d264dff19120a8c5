"""`bin/up` as a whole: an installation of its own, started, used, killed, started again, stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from config import env, ports, supervisor
from config.state import State
from config.static_files import Collected

ROOT = Path(__file__).resolve().parents[2]
MINE = "CARILLON_STATE_DIR"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], supervisor.Options(None, False, False, None, False)),
        (["--port", "8080"], supervisor.Options(8080, False, False, None, False)),
        (["--demo", "--exit", "--speed", "60", "--all"], supervisor.Options(None, True, True, 60.0, True)),
    ],
)
def test_options_are_read(arguments, options):
    assert supervisor.read_options(arguments) == options


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "http"],
        ["--port", "0"],
        ["--port", "65536"],
        ["--speed", "0.5"],
        ["--speed", "nan"],
        ["--exit"],
        ["--all"],
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        supervisor.read_options(arguments)
    assert caught.value.code == 2
    assert "usage: bin/up" in capsys.readouterr().err


@pytest.fixture
def folder():
    """The state folder of an installation; whatever runs there is killed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-test-"))
    folder.chmod(0o755)
    yield folder
    for pid in processes_of(folder):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def environment_of(folder):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {MINE: str(folder), "STATIC_ROOT": str(folder / "static")}


def bin_up(folder, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "config.supervisor", *arguments],
        cwd=ROOT,
        env=environment_of(folder) | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder):
    """The processes that belong to that folder, by their environment or their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            lives = path.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            words = path.joinpath("environ").read_bytes() + path.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if lives and str(folder).encode() in words:
            found.append(int(path.name))
    return found


def manage(folder, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment_of(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def read_until(process, text):
    """What it wrote up to the line that contains `text`."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    pytest.fail(f"it ended without saying {text!r}:\n{''.join(lines)}")


def test_a_port_that_was_asked_for_and_is_taken_ends_the_start_with_one_sentence(folder):
    with ports.hold_free(24000) as other:
        port = other.getsockname()[1]
        process = bin_up(folder, "--port", str(port))
        told, _ = process.communicate(timeout=60)
    free = told.split("--port ")[1].strip()
    assert told == f"Port {port} is taken by another program; {free} is free: bin/up --port {free}\n"
    assert int(free) > port
    assert process.returncode == 1


def test_a_second_start_in_the_same_folder_names_the_first(folder):
    State(folder).lock()
    process = bin_up(folder)
    told, _ = process.communicate(timeout=60)
    assert told == f"Carillon already runs in this folder (pid {os.getpid()}).\n"
    assert process.returncode == 3


def test_a_setting_that_cannot_be_read_ends_the_start_with_one_sentence(folder):
    process = bin_up(folder, TIME_SPEED="fast", DATABASE_URL="postgres://elsewhere/x", REDIS_URL="redis://elsewhere")
    told, _ = process.communicate(timeout=60)
    assert told.splitlines()[-1] == "TIME_SPEED: expected a number, got 'fast'"
    assert process.returncode == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's death")
def test_an_installation_starts_serves_survives_a_kill_and_stops_cleanly(folder):
    first = bin_up(folder)
    told = read_until(first, "Ctrl-C stops everything")
    assert "Carillon is ready" in told
    assert "admin / carillon" in told
    services = json.loads((folder / "run" / "services.json").read_text())
    assert services["PUBLIC_URL"] in told
    with urllib.request.urlopen(f"{services['PUBLIC_URL']}/readyz") as answer:
        assert json.load(answer)["ready"]
    done = manage(
        folder, "shell", "-v", "0", "-c", "from django.contrib.auth.models import User\nprint(User.objects.get())"
    )
    assert done.stdout == "admin\n", done.stderr
    assert {path.stem for path in (folder / "run" / "logs").glob("*.log")} >= {"web", "urgent", "beat", "dispatcher"}

    first.kill()
    first.wait()
    first.stdout.close()
    deadline = time.monotonic() + 30
    while processes_of(folder):
        assert time.monotonic() < deadline, "children outlived the supervisor"
        time.sleep(0.1)
    assert "cannot be reached" in manage(folder, "showmigrations").stderr

    second = bin_up(folder)
    read_until(second, "Ctrl-C stops everything")
    again = json.loads((folder / "run" / "services.json").read_text())
    assert again["SECRET_KEY"] == services["SECRET_KEY"]
    assert manage(
        folder, "shell", "-v", "0", "-c", "from django.contrib.auth.models import User\nprint(User.objects.get())"
    ).stdout
    second.send_signal(signal.SIGTERM)
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert "Stopped in" in told
    assert "was killed" not in told
    assert processes_of(folder) == []
    assert not (folder / "run" / "services.json").exists()
    assert not (folder / "postgres" / "data" / "postmaster.pid").exists()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout with one static file of its own, installed by bin/up, whose files have been collected once."""
    monkeypatch.setattr(env, "BASE_DIR", tmp_path)
    monkeypatch.setenv("STATIC_ROOT", str(tmp_path / "collected"))
    for folder in (".venv", "contacts/static", "collected", "var/run"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".venv" / "installed.json").write_text("{}")
    (tmp_path / "contacts" / "static" / "t.js").write_text("1")
    Collected(State(tmp_path / "var")).remember()
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda project: (project / "contacts" / "static" / "t.js").write_text("2, and longer"),
        lambda project: (project / "contacts" / "static" / "new.css").touch(),
        lambda project: (project / ".venv" / "installed.json").write_text('{"requirements.txt": "other"}'),
        lambda project: (project / ".venv" / "installed.json").unlink(),
        lambda project: (project / "collected").rmdir(),
    ],
)
def test_static_files_are_collected_again_when_something_changed(project, change):
    collected = Collected(State(project / "var"))
    assert collected.is_current()
    change(project)
    assert not collected.is_current()
