"""The embedded servers: what goes wrong on other people's machines, tried with real ones."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from config import embedded, ports, postgres, valkey
from config.processes import Process, stop
from config.state import State

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="matters to root only")


@pytest.fixture
def state(monkeypatch):
    """The folder of an installation that any account may enter, and no server named by the environment."""
    for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    with installed() as state:
        yield state


@contextmanager
def installed():
    folder = Path(tempfile.mkdtemp(prefix="carillon-test-"))
    folder.chmod(0o755)
    state = State(folder / "var")
    state.lock()
    yield state
    shutil.rmtree(folder)


@pytest.fixture
def said():
    return []


@pytest.fixture
def start(state, said):
    """Starts a PostgreSQL in that folder; whatever was started is stopped in the end."""
    started = []

    def start_it(of=state):
        process, url = postgres.start(of, durable=False, say=said.append)
        started.append(process)
        return process, url

    yield start_it
    stop(started)


def one(url, query):
    with psycopg.connect(url, autocommit=True) as session:
        return session.execute(query).fetchone()[0]


def test_a_cluster_is_made_once_and_keeps_its_rows(start):
    process, url = start()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE kept AS SELECT 'Straße' AS word")
    stop([process])
    _, url = start()
    assert one(url, "SELECT upper(word) FROM kept") == "STRAßE", "the collation is ours, not the machine's"


def test_it_asks_for_the_password_and_listens_on_loopback_only(start, state):
    _, url = start()
    assert one(url, "SHOW listen_addresses") == "127.0.0.1"
    assert one(url, "SHOW unix_socket_directories") == ""
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(state.secret("postgres-password"), "guessed"))
    assert not (state.path / "postgres" / "password").exists()


def test_its_log_quotes_no_rows(start, state):
    _, url = start()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE people (email text UNIQUE)")
        session.execute("INSERT INTO people VALUES ('ada@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            session.execute("INSERT INTO people VALUES ('ada@example.com')")
    log = (state.logs / "postgres.log").read_text()
    assert "people_email_key" in log
    assert "ada@example.com" not in log


def test_a_half_made_cluster_is_made_anew(start, state):
    process, _ = start()
    stop([process])
    data = state.path / "postgres" / "data"
    (data / "carillon-initialised").unlink()
    (data / "global" / "pg_control").unlink()
    _, url = start()
    assert one(url, "SELECT 1") == 1


def test_a_pid_file_that_names_a_foreign_process_is_removed_and_the_process_left_alone(start, state, said):
    process, _ = start()
    stop([process])
    foreign = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (state.path / "postgres" / "data" / "postmaster.pid").write_text(f"{foreign.pid}\n")
    _, url = start()
    assert one(url, "SELECT 1") == 1
    assert foreign.poll() is None
    assert said == ["Removing a stale postmaster.pid"]
    foreign.kill()
    foreign.wait()


@pytest.mark.parametrize("content", ["", "words"])
def test_a_damaged_pid_file_does_no_harm(start, state, content):
    process, _ = start()
    stop([process])
    (state.path / "postgres" / "data" / "postmaster.pid").write_text(content)
    _, url = start()
    assert one(url, "SELECT 1") == 1


def test_a_postgres_that_was_left_behind_is_stopped_first(start, said):
    left_behind, url = start()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS number")
    _, url = start()
    assert not left_behind.alive
    assert said == [f"Stopping a PostgreSQL that was left behind (pid {left_behind.child.pid})"]
    assert one(url, "SELECT number FROM kept") == 1


def test_a_taken_port_is_passed_over(start, monkeypatch):
    with ports.hold_free(22000) as other:
        monkeypatch.setattr(postgres, "FIRST_PORT", other.getsockname()[1])
        _, url = start()
        assert url.split(":")[-1].split("/")[0] != str(other.getsockname()[1])


def test_a_port_that_is_taken_in_the_last_moment_is_passed_over(start, monkeypatch):
    look = ports.free
    with ports.hold_free(22100) as other:
        quicker = other.getsockname()[1]
        monkeypatch.setattr(ports, "free", lambda first: quicker if first <= quicker else look(first))
        monkeypatch.setattr(postgres, "FIRST_PORT", quicker)
        _, url = start()
        assert one(url, "SELECT 1") == 1


class Late(Process):
    """A process that is slow to begin."""

    def __init__(self, name, command, **options):
        super().__init__(name, ["/bin/sh", "-c", 'sleep 0.5; exec "$@"', "sh", *command], **options)


@pytest.mark.parametrize("kind", [postgres, valkey])
def test_of_two_installations_that_start_at_once_each_gets_a_port(state, said, monkeypatch, kind):
    """Both saw the same port free, and the quicker one answers already while the other is still to find out."""
    with installed() as another:
        quicker, url = kind.start(another, durable=False, say=said.append)
        started = [quicker]
        try:
            taken, look = urlsplit(url).port, ports.free
            monkeypatch.setattr(ports, "free", lambda first: taken if first <= taken else look(first))
            monkeypatch.setattr(kind, "FIRST_PORT", taken)
            monkeypatch.setattr(kind, "Process", Late)
            slower, own = kind.start(state, durable=False, say=said.append)
            started.append(slower)
            assert urlsplit(own).port > taken
            assert said == []
        finally:
            stop(started)


def test_the_callers_pg_variables_are_meant_for_another_server(state, said, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("LC_ALL", "xx_YY.nonsense")
    monkeypatch.setenv("TZ", "Mars/Olympus")
    servers = embedded.start(state, durable=False, say=said.append)
    try:
        assert one(servers.settings["DATABASE_URL"], "SHOW timezone") == "UTC"
        assert redis.Redis.from_url(servers.settings["REDIS_URL"]).ping()
        assert set(servers.settings) == {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
    finally:
        stop(servers.processes)


def test_nothing_is_started_for_what_the_environment_names(state, said, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/carillon")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    assert embedded.start(state, say=said.append) == embedded.Embedded((), {})


def test_when_one_server_cannot_start_the_other_does_not_stay(state, said, monkeypatch):
    monkeypatch.setenv("REDIS_BIN", "/bin/false")
    with pytest.raises(valkey.NoRedis, match="Redis did not start"):
        embedded.start(state, durable=False, say=said.append)
    assert not (state.path / "postgres" / "data" / "postmaster.pid").exists()


def test_a_machine_without_postgres_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(postgres.NoPostgres, match="set DATABASE_URL"):
        postgres.find_binaries()


@as_root
def test_root_runs_it_as_nobody_and_leaves_the_folders_modes_alone(start, state):
    before = {folder: folder.stat().st_mode for folder in (state.path, state.path.parent, state.run)}
    process, _ = start()
    assert Path(f"/proc/{process.child.pid}").stat().st_uid == postgres.pwd.getpwnam("nobody").pw_uid
    assert {folder: folder.stat().st_mode for folder in before} == before


@as_root
def test_a_checkout_that_others_may_not_enter_stays_closed(start, state):
    closed = State(state.path / "closed" / "var")
    closed.path.parent.mkdir(mode=0o700)
    closed.lock()
    shelter = postgres.shelter(closed.path)
    try:
        process, url = start(closed)
        assert one(url, "SELECT 1") == 1
        assert stat.S_IMODE(closed.path.parent.stat().st_mode) == 0o700
        assert (closed.path / "postgres").resolve() == shelter
        stop([process])
        _, url = start(closed)
        assert one(url, "SELECT 1") == 1
    finally:
        shutil.rmtree(shelter, ignore_errors=True)


@as_root
def test_a_shelter_that_is_somebody_elses_is_refused(tmp_path):
    shelter = tmp_path / "shelter"
    shelter.mkdir()
    os.chown(shelter, 65534, 65534)
    with pytest.raises(postgres.NoPostgres, match="in the way"):
        postgres.make_shelter(shelter)
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(postgres.NoPostgres, match="in the way"):
        postgres.make_shelter(tmp_path / "link")


@as_root
def test_a_cluster_stays_with_the_account_that_made_it(start, state):
    process, _ = start()
    stop([process])
    for path in [state.path / "postgres" / "data", *(state.path / "postgres" / "data").rglob("*")]:
        os.chown(path, 1, 1)
    process, url = start()
    assert one(url, "SELECT 1") == 1
    assert Path(f"/proc/{process.child.pid}").stat().st_uid == 1


def test_copied_binaries_are_for_every_account(tmp_path):
    original = tmp_path / "closed" / "server"
    (original / "pginstall" / "bin").mkdir(parents=True)
    (original.parent / "server.libs").mkdir()
    for path, mode in (("server/pginstall/bin/postgres", 0o700), ("server.libs/libpq.so", 0o600)):
        (original.parent / path).touch()
        (original.parent / path).chmod(mode)
    copied = postgres.copy_binaries(original / "pginstall" / "bin", tmp_path)
    assert stat.S_IMODE((copied / "postgres").stat().st_mode) == 0o755
    assert stat.S_IMODE((copied.parents[2] / "server.libs" / "libpq.so").stat().st_mode) == 0o644
    assert postgres.copy_binaries(original / "pginstall" / "bin", tmp_path) == copied


def test_redis_keeps_its_keys_and_asks_for_its_password(state, said):
    process, url = valkey.start(state, durable=True, say=said.append)
    redis.Redis.from_url(url).set("kept", 1)
    stop([process])
    process, url = valkey.start(state, durable=True, say=said.append)
    try:
        assert redis.Redis.from_url(url).get("kept") == b"1"
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(f"redis://127.0.0.1:{url.rsplit(':', 1)[1]}").ping()
        assert stat.S_IMODE((state.run / "redis.conf").stat().st_mode) == 0o600
        assert state.secret("redis-password") not in Path(f"/proc/{process.child.pid}/cmdline").read_text()
    finally:
        stop([process])


def test_a_redis_file_that_cannot_be_read_is_thrown_away(state, said):
    process, _ = valkey.start(state, durable=True, say=said.append)
    stop([process])
    for manifest in (state.path / "redis" / "appendonlydir").glob("*.manifest"):
        manifest.write_text("nonsense\n")
    process, url = valkey.start(state, durable=True, say=said.append)
    try:
        assert redis.Redis.from_url(url).ping()
        assert len(said) == 1
        assert "starts empty" in said[0]
    finally:
        stop([process])


def test_a_killed_redis_or_postgres_comes_back_on_its_port(state, said, start):
    from config.processes import Fleet

    process, url = start()
    fleet = Fleet(said.append)
    fleet.adopt(process)
    os.kill(process.child.pid, signal.SIGKILL)
    process.child.wait()
    fleet.tend(process.started_at + 1)
    fleet.tend(process.started_at + 2)
    assert postgres.wait_until_it_answers(process, url.rsplit("/", 1)[0])
    assert one(url, "SELECT 1") == 1
