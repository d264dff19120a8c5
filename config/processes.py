"""Child processes: started in sessions of their own, logged to a file each, started again when they die, stopped in the
reverse of the order in which they were started."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOG_BYTES = 20 * 1024 * 1024
LOGS_KEPT = 3
HEALTHY_SECONDS = 60.0  # whoever ran so long has earned a fresh count of failures


@dataclass(frozen=True)
class Account:
    """Whom a process runs as."""

    uid: int
    gid: int


def die_with_parent(number: signal.Signals, parent: int | None = None) -> Callable[[], None] | None:
    """To be called in the child: it gets this signal when the thread that started it is gone, even by SIGKILL (Linux;
    elsewhere orphans stay). `parent` defaults to the process that makes this request."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, parent or os.getpid()

    def ask() -> None:
        prctl(1, int(number))  # PR_SET_PDEATHSIG; after the change of user, which would clear it
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the request was made

    return ask


class Process:
    """One child, and how it wants to be started and stopped."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path | None,
        environment: Mapping[str, str],
        directory: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        grace: float = 10.0,
        account: Account | None = None,
        descriptors: Sequence[int] = (),
        heartbeat: str = "",
        foreground: bool = False,
        precious: bool = False,
    ) -> None:
        """`log` None: the child writes where we write. `grace`: seconds between asking it to stop and killing it.
        `heartbeat`: the name under which it beats, if it does. `foreground`: it stays with our terminal, reads from
        it and hears its Ctrl-C. `precious`: it keeps data, so haste does not shorten its time to stop."""
        self.name, self.command, self.log = name, [str(part) for part in command], log
        self.environment, self.directory = environment, directory
        self.stop_signal, self.death_signal, self.grace = stop_signal, death_signal, grace
        self.account, self.descriptors, self.heartbeat = account, descriptors, heartbeat
        self.foreground, self.precious = foreground, precious
        self.child: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self._log_offset = 0

    def start(self) -> None:
        """From the main thread only: Linux takes the thread that forks for the parent."""
        output = None
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._log_offset = os.fstat(output).st_size
        try:
            self.child = self._launch(output)
        finally:
            if output is not None:
                os.close(output)
        self.started_at = time.monotonic()

    def _launch(self, output: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            stdin=None if self.foreground else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self.directory,
            env=self.environment,
            start_new_session=not self.foreground,  # Ctrl-C reaches the supervisor alone, which stops in order
            preexec_fn=die_with_parent(self.death_signal),  # noqa: PLW1509  (no threads in the supervisor)
            pass_fds=self.descriptors,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def status(self) -> int:
        """The exit status as a shell gives it: 128 and the signal for one that was killed."""
        assert self.child is not None and self.child.returncode is not None
        code = self.child.returncode
        return code if code >= 0 else 128 - code

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        assert self.child is not None and self.child.returncode is not None
        code = self.child.returncode
        return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def ends_within(self, seconds: float) -> bool:
        """Whether it is gone by then."""
        assert self.child is not None
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask_to_stop(self) -> None:
        if self.alive and self.child is not None:
            self.child.send_signal(self.stop_signal)

    def kill(self) -> None:
        """At once, with whatever it started itself."""
        if self.child is None:
            return
        if self.alive and not self.foreground:
            os.killpg(self.child.pid, signal.SIGKILL)  # the first process of a session leads its group
        self.child.kill()
        self.child.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines that it wrote since it was last started."""
        if self.log is None:
            return ""
        try:
            with self.log.open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(min(self._log_offset, log.tell()), log.tell() - 64 * 1024))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def stop(processes: Iterable[Process], hurry: Callable[[], bool] = lambda: False) -> list[str]:
    """Ask all of them at once, wait for each as long as it may take, kill the rest. The names of those killed."""
    asked = [process for process in processes if process.alive]
    for process in asked:
        process.ask_to_stop()
    started = time.monotonic()
    killed = []
    for process in asked:
        while process.alive and time.monotonic() - started < process.grace and (process.precious or not hurry()):
            time.sleep(0.02)
        if process.alive:
            killed.append(process.name)
            process.kill()
    return killed


class Fleet:
    """Everything that was started, in stages: what belongs to one stage starts and stops together."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.stages: list[list[Process]] = []
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = {}

    @property
    def processes(self) -> list[Process]:
        return [process for stage in self.stages for process in stage]

    def adopt(self, *processes: Process) -> None:
        """A new stage of processes that run already."""
        self.stages.append(list(processes))

    def launch(self, *processes: Process) -> None:
        """A new stage, started now."""
        self.adopt(*processes)
        for process in processes:
            process.start()

    def tend(self, now: float) -> None:
        """One round: whatever died is started again, later each time it does. `now` is monotonic seconds."""
        for process in self.processes:
            if process.alive:
                continue
            if process.name not in self._due:
                self._mourn(process, now)
            elif now >= self._due[process.name]:
                del self._due[process.name]
                process.start()

    def _mourn(self, process: Process, now: float) -> None:
        if now - process.started_at > HEALTHY_SECONDS:
            self._failures.pop(process.name, None)
        failures = self._failures[process.name] = self._failures.get(process.name, 0) + 1
        wait = min(30.0, 0.25 * 2**failures)
        self._due[process.name] = now + wait
        where = f"; see {process.log}" if process.log else ""
        self.say(f"{process.name} ended ({process.fate}): starting it again in {wait:g} s{where}")

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """The last stage first."""
        while self.stages:
            for name in stop(self.stages.pop(), hurry):
                self.say(f"{name} did not stop in time and was killed")


def rotate(log: Path, limit: int = LOG_BYTES, kept: int = LOGS_KEPT) -> bool:
    """Move a log that has grown past `limit` aside. The writer keeps its file open, so the content is copied and the
    file emptied; the few lines that are written between the two are lost. Whether it was moved."""
    try:
        if log.stat().st_size < limit:
            return False
    except FileNotFoundError:
        return False
    for number in range(kept - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copy2(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
    return True
