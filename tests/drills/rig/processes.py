"""The processes of an installation under test: started, watched, started again when something kills them.

A small supervisor of its own, not the product's: a drill wants a killed process back at once (the product waits longer
each time) and wants to know when it was ready again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from config import programs
from config.lanes import queues_of
from config.processes import die_with_parent
from tests.drills.rig import processor
from tests.nursery import Child, Nursery

ROOT = Path(__file__).resolve().parents[3]
PYTHON = sys.executable
RESTART_SECONDS = 0.1


Made = TypeVar("Made")
_maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="maker")


def in_maker_thread(make: Callable[[], Made]) -> Made:
    """Linux lets children die with the thread that made them: so one that lives as long as the drill makes all."""
    return _maker.submit(make).result()


def spawn(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """A child in a session of its own, with no input, that dies with the drill."""
    options = {"stdin": subprocess.DEVNULL, "cwd": ROOT, "start_new_session": True, **options}
    ask = die_with_parent(signal.SIGKILL)
    return in_maker_thread(lambda: subprocess.Popen(list(command), preexec_fn=ask, **options))


@dataclass(frozen=True)
class Program:
    """What to run. `kind` is what a fault aims at; `is_ready` looks at what the program wrote since it was started."""

    name: str
    kind: str  # web · worker · sender (a worker of a delivery lane) · dispatcher · beat · consumer (of Kafka)
    command: Sequence[str]
    is_ready: Callable[[str], bool] = lambda log: True


class Process:
    """A program, its log file, and its life until now."""

    def __init__(self, program: Program, env: Mapping[str, str], logs: Path, nursery: Nursery | None = None) -> None:
        self.program, self.env, self._nursery = program, env, nursery
        self.log = logs / f"{program.name}.log"
        self.starts = 0
        self._log_offset = 0
        self._popen: subprocess.Popen[bytes] | Child | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen is not None and self._popen.poll() is None else None

    def start(self) -> None:
        self._log_offset = self.log.stat().st_size if self.log.exists() else 0
        command, env = self.program.command, dict(self.env)
        with self.log.open("ab", buffering=0) as out:
            if self._nursery is not None and self._nursery.serves(command, env):
                self._popen = self._nursery.start(command, out.fileno())
            else:
                self._popen = spawn(command, stdout=out, stderr=out, env=env)
        self.starts += 1

    def said(self) -> str:
        """What it wrote since its last start."""
        with self.log.open("rb") as file:
            file.seek(self._log_offset)
            return file.read().decode(errors="replace")

    def is_ready(self) -> bool:
        return self.pid is not None and self.program.is_ready(self.said())

    def children(self) -> list[int]:
        return processor.children(self.pid) if self.pid is not None else []

    def send(self, signal_number: int) -> None:
        """To the process and all below it, as when the machine takes them."""
        if self.pid is not None:
            for pid in [self.pid, *processor.descendants(self.pid)]:
                _signal(pid, signal_number)

    def kill_child(self, pid: int) -> None:
        """kill -9 one of its children; whoever watches over it should make a new one."""
        _signal(pid, signal.SIGKILL)

    def stop(self, patience: float = 10.0) -> None:
        if self._popen is None or self._popen.poll() is not None:
            return
        self.send(signal.SIGCONT)
        self._popen.terminate()
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._popen.wait(5)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Crew:
    """Processes that are kept alive until `stop`; those that a `nursery` can fork are its children."""

    def __init__(
        self,
        programs: Sequence[Program],
        env: Mapping[str, str],
        logs: Path,
        nursery: Nursery | None = None,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.processes = [Process(program, env, logs, nursery) for program in programs]
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_alive, name="keeper", daemon=True)

    def start(self, patience: float = 60.0) -> None:
        """Start them all; return when all are ready. Raises TimeoutError with the last words of one that is not."""
        for process in self.processes:
            process.start()
        self._keeper.start()
        deadline = time.monotonic() + patience
        for process in self.processes:
            while not process.is_ready():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{process.name} is not ready:\n{process.said()[-2000:]}")
                time.sleep(0.05)

    def of(self, *kinds: str) -> list[Process]:
        return [process for process in self.processes if process.program.kind in kinds]

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes if process.pid is not None]

    def restarts(self) -> int:
        return sum(max(0, process.starts - 1) for process in self.processes)

    def stop(self) -> None:
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self.processes:  # all at once, then wait for each
            process.send(signal.SIGCONT)
            if process.pid is not None:
                _signal(process.pid, signal.SIGTERM)
        for process in self.processes:
            process.stop()

    def _keep_alive(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS):
            for process in self.processes:
                if process.pid is None:
                    process.start()


def answers(url: str) -> bool:
    """Whether an HTTP GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def web(port: int, address: str = "127.0.0.1") -> Program:
    command = [PYTHON, "-m", "gunicorn", "--config", "python:config.web", "--bind", f"{address}:{port}", "config.wsgi"]
    return Program("web", "web", command, is_ready=lambda log: answers(f"http://{address}:{port}/healthz"))


def worker(lane: str, number: int = 1) -> Program:
    """As the product runs it (see `config.programs`), but several of a lane."""
    name = f"{lane}-{number}"
    command = [
        PYTHON,
        *programs.CELERY,
        "worker",
        "-Q",
        queues_of(lane),
        "-n",
        f"{name}@rig",
        *programs.WORKER,
        "-l",
        "INFO",
    ]
    kind = "sender" if lane.startswith("delivery") else "worker"
    return Program(f"worker-{name}", kind, command, is_ready=lambda log: " ready." in log)


def dispatcher(number: int = 1) -> Program:
    return Program(f"dispatcher-{number}", "dispatcher", [PYTHON, "manage.py", "run_dispatcher"])


def beat() -> Program:
    command = [PYTHON, *programs.CELERY, "beat", "--pidfile=", "-l", "INFO"]
    return Program("beat", "beat", command, is_ready=lambda log: "beat: Starting" in log)


def consumer(number: int = 1) -> Program:
    command = [PYTHON, "manage.py", "consume_events", "--skip-checks"]
    return Program(f"consumer-{number}", "consumer", command, is_ready=lambda log: "reading [" in log)


def whole_installation(web_port: int, *, engines: int = 2, senders: int = 2, dispatchers: int = 2) -> list[Program]:
    """Every process kind of the product; several of what a drill is about."""
    return [
        web(web_port),
        *(worker("urgent", number) for number in range(1, engines + 1)),
        *(worker("delivery_urgent", number) for number in range(1, senders + 1)),
        worker("webhooks"),
        worker("housekeeping"),
        *(dispatcher(number) for number in range(1, dispatchers + 1)),
        beat(),
    ]
