"""Processes of the product for tests that need many: they are forked from one that has loaded the code with the same
settings, as gunicorn's workers are. To start one by its command costs a second and a half of processor time, most of
it for the same imports; what it does afterwards is the same (tests/house/test_nursery.py holds the two together).

    python -m tests.nursery DESCRIPTOR      (by `Nursery`, which speaks to it over that socket)

Linux only. That the commands themselves start is proven by those tests that run `bin/up`, and by the drills at full
size."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from config.processes import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
MODULES = {"celery", "gunicorn"}  # `-m` of these, and manage.py
LOADED = (
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.apps.beat",
    "celery.concurrency.solo",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "django_celery_beat.schedulers",
    "gunicorn.app.wsgiapp",
    "config.doorkeeper",
    "config.urls",
)
SETTLED = b"loaded"
LARGEST_REQUEST = 65_536


class Child:
    """Like `subprocess.Popen`, of a process that somebody else has forked and reaps."""

    def __init__(self, pid: int, ended: int) -> None:
        """`ended`: where its return code can be read when it is over; nothing, if that went with the nursery."""
        self.pid = pid
        self.returncode: int | None = None
        self._ended, self._lock = ended, threading.Lock()

    def __del__(self) -> None:
        os.close(self._ended)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, patience: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], patience)[0]:
            with self._lock:  # whoever is first reads it
                if self.returncode is None:
                    self.returncode = int(os.read(self._ended, 16) or -signal.SIGKILL)
        return self.returncode


class Nursery:
    """A context manager: its children are gone when it is. `environment` is its own and all of theirs. `launch` starts
    it, like `subprocess.Popen`, so that it dies with whoever that shall be."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        *,
        launch: Callable[..., subprocess.Popen[bytes]] | None = None,
    ) -> None:
        self.environment = dict(environment)
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log.parent.mkdir(parents=True, exist_ok=True)
        with theirs, log.open("ab") as out:
            self._process = (launch or _launch)(
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        if self._socket.recv(LARGEST_REQUEST) != SETTLED:
            self.close()
            raise RuntimeError(f"the nursery did not start:\n{log.read_text(errors='replace')[-3000:]}")

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(30)

    def serves(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a fork is the same as a start by this command."""
        program = command[1:3]
        known = program[:1] == ["manage.py"] or (program[:1] == ["-m"] and program[1] in MODULES)
        return command[0] == sys.executable and known and environment == self.environment

    def start(
        self,
        command: Sequence[str],
        output: int,
        descriptors: Sequence[int] = (),
        *,
        error: int | None = None,
        given: int | None = None,
    ) -> Child:
        """A child in a session of its own, in the project's root. It writes to `output`, and its errors to `error` or
        there as well, reads what is `given`, and has `descriptors` under the same numbers."""
        ended, at_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        streams = [nothing if given is None else given, output, output if error is None else error]
        try:
            request = json.dumps({"arguments": list(command[1:]), "descriptors": list(descriptors)}).encode()
            with self._lock:
                socket.send_fds(self._socket, [request], [at_end, *streams, *descriptors])
                pid = int(self._socket.recv(16))
        except (OSError, ValueError):
            os.close(ended)
            raise
        finally:
            os.close(at_end)
            os.close(nothing)
        return Child(pid, ended)


def _launch(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(list(command), preexec_fn=die_with_parent(signal.SIGKILL), **options)


class _Server:
    """The other end. Its one loop returns in the children only."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._ends: dict[int, int] = {}  # by pid: where its return code is awaited
        self._woken, waker = os.pipe()
        for end in (self._woken, waker):
            os.set_blocking(end, False)
        self._waker = waker

    def serve(self) -> list[str]:
        """The arguments of the program that a child shall be. Ends this process when nobody needs it any longer."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._waker)
        self._socket.send(SETTLED)
        while True:
            readable = select.select([self._socket, self._woken], [], [])[0]
            if self._woken in readable:
                os.read(self._woken, 4096)
                self._reap()
            if self._socket in readable:
                message, descriptors, _, _ = socket.recv_fds(self._socket, LARGEST_REQUEST, 16)
                if not message:
                    os._exit(0)  # the children hear of it by their death signal
                request = json.loads(message)
                if not self._fork(request, descriptors):
                    return list(request["arguments"])

    def _fork(self, request: dict[str, Any], given: list[int]) -> int:
        at_end, streams, descriptors = given[0], given[1:4], given[4:]
        here = os.getpid()
        if pid := os.fork():
            self._ends[pid] = at_end
            for descriptor in (*streams, *descriptors):
                os.close(descriptor)
            return pid
        os.close(at_end)
        try:
            self._settle_in(here, streams, dict(zip(request["descriptors"], descriptors, strict=True)))
        except BaseException:
            self._socket.send(b"failed")
            raise
        return 0

    def _settle_in(self, parent: int, streams: list[int], descriptors: dict[int, int]) -> None:
        """What a start by command does for a child before its program begins, and before anybody knows of it."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        if ask := die_with_parent(signal.SIGKILL, parent=parent):
            ask()
        for stream, given in enumerate(streams):
            os.dup2(given, stream)
        # first out of the way of each other's numbers
        away = {number: os.dup(given) for number, given in descriptors.items()}
        self._socket.send(str(os.getpid()).encode())
        own = self._socket.detach()
        for other in {own, self._woken, self._waker, *streams, *descriptors.values(), *self._ends.values()}:
            os.close(other)
        for number, given in away.items():
            os.dup2(given, number)
            if given != number:
                os.close(given)

    def _reap(self) -> None:
        while self._ends:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            at_end = self._ends.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody wants to know
                os.write(at_end, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(at_end)


def _load() -> None:
    """Everything that a program of the product imports in any case; nothing connects meanwhile."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django: Any = import_module("django")
    django.setup()
    for name in LOADED:
        import_module(name)
    import_module("config.celery").app.loader.import_default_modules()


def _be(arguments: list[str]) -> None:
    """As the interpreter does with its own command line."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    _load()
    _be(_Server(int(sys.argv[1])).serve())
