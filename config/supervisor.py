"""`bin/up`: starts the servers that the environment does not name, brings the database up to date, runs all processes
of the installation, tends them, and stops them in order."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from config import embedded, env, ports, readiness
from config.processes import Fleet, Process, rotate, stop
from config.programs import Programs
from config.screen import Screen
from config.state import AlreadyRunning, State
from config.static_files import Collected

FIRST_PORT = 8000
DEMO_SPEED = 86_400.0  # a day a second
LOOK_SECONDS = 10.0
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Options:
    port: int | None
    demo: bool
    exit: bool
    speed: float | None
    everything: bool


class Stopped(Exception):
    """Somebody asked for the end while something was waited for."""


class Failed(Exception):
    """It cannot go on; the message says why."""


def read_options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="bin/up",
        description="Start Carillon: PostgreSQL and Redis where DATABASE_URL and REDIS_URL are not set, the web, the "
        "workers, the timer dispatcher and the beat. Ctrl-C stops everything; the state stays in var/.",
    )
    parser.add_argument("--port", type=_port, help=f"where the web listens on 127.0.0.1 (default {FIRST_PORT})")
    parser.add_argument("--demo", action="store_true", help="then run the demonstration and show its progress")
    parser.add_argument("--exit", action="store_true", help="with --demo: print the closing figures and stop")
    parser.add_argument("--speed", type=_speed, help=f"how much faster than life waits pass (demo: {DEMO_SPEED:g})")
    parser.add_argument("--all", action="store_true", help="with --demo: everything there is, not a slice")
    found = parser.parse_args(arguments)
    if not found.demo and (found.exit or found.all):
        parser.error("--exit and --all belong to --demo")
    return Options(found.port, found.demo, found.exit, found.speed, found.all)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 1 <= speed < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return speed


class Supervisor:
    """One run of an installation. `signals` fills while it runs: one asks for the end, a second one for haste."""

    def __init__(self, options: Options, state: State, screen: Screen) -> None:
        self.options, self.state, self.screen = options, state, screen
        self.signals: list[int] = []
        self.fleet = Fleet(screen.say)
        self.silence = readiness.Silence()
        self.looked_at = 0.0
        self.ready = False

    def run(self) -> int:
        """The exit status."""
        try:
            with self._hold_port() as holder:
                status = self._serve(holder)
        except Stopped:
            status = 128 + self.signals[0] if self.options.exit else 0
        except (Failed, env.BadSetting, *embedded.FAILURES) as error:
            self.screen.fail(str(error))
            status = 1
        finally:
            started = time.monotonic()
            self.fleet.stop(hurry=lambda: len(self.signals) > 1)
            self.state.withdraw()
        if self.ready:
            self.screen.say(f"Stopped in {time.monotonic() - started:.1f} s")
        return status

    def _serve(self, holder: socket.socket) -> int:
        port = holder.getsockname()[1]
        programs = self._start(holder)
        self._await_readiness(port)
        self.ready = True
        if not self.options.demo:
            self._show(port)
            return self._tend(port)
        if not self.options.exit:
            self._show(port)
        demonstration = programs.demonstration(
            self._speed(), everything=self.options.everything, figures=self.options.exit
        )
        demonstration.start()
        try:
            self._tend(port, until=demonstration)
        finally:
            stop([demonstration], hurry=lambda: len(self.signals) > 1)
        if self.options.exit or self.signals:
            return demonstration.status if self.options.exit else 0
        self.screen.say(f"The demonstration has ended ({demonstration.fate}); everything runs on")
        return self._tend(port)

    def _hold_port(self) -> socket.socket:
        """Taken before anything slow begins, and kept."""
        first = self.options.port or FIRST_PORT
        try:
            return ports.hold(first)
        except ports.NoPort as error:
            with ports.hold_free(first + 1 if first + 1 < ports.BELOW else FIRST_PORT) as other:
                free = other.getsockname()[1]
            if self.options.port:
                raise Failed(f"{error}; {free} is free: bin/up --port {free}") from error
            self.screen.say(f"{error}; using {free}")
            return ports.hold(free)

    def _start(self, holder: socket.socket) -> Programs:
        secret = env.text("SECRET_KEY") or self.state.secret("secret-key")
        own = {"SECRET_KEY": secret, "CARILLON_STATE_DIR": str(self.state.path), "PYTHONUNBUFFERED": "1"}
        collected = Collected(self.state)
        collecting = Programs(self.state, os.environ | own).static_files()
        if not collected.is_current():
            collecting.start()  # meanwhile the servers start; it needs none of them
        try:
            servers = embedded.start(self.state, say=self.screen.say)
            for process in servers.processes:
                self.fleet.adopt(process)
            self._phase("Servers", ", ".join(process.name for process in servers.processes) or "those of the settings")
            services = self._services(holder.getsockname()[1], servers.settings | {"SECRET_KEY": secret})
            programs = Programs(self.state, os.environ | own | services)
            preparing = programs.prepare()
            preparing.start()
            self._complete(preparing)
            self.state.publish(services)
            self._phase("Database", "up to date")
            self.fleet.launch(*programs.workers())
            self.fleet.launch(*programs.ringers())
            if collecting.child is not None:
                self._complete(collecting)
                collected.remember()
        finally:
            stop([collecting])
        self.fleet.launch(programs.web(holder.fileno()))
        self._phase("Processes", f"{len(self.fleet.processes) - len(servers.processes)} started")
        return programs

    def _services(self, port: int, settings: dict[str, str]) -> dict[str, str]:
        """What every process, and every command of this folder, must agree on."""
        public_url = env.text("PUBLIC_URL") or f"http://{ports.LOOPBACK}:{port}"
        own = (urlsplit(public_url).hostname or "", "localhost", ports.LOOPBACK, "[::1]")
        hosts = dict.fromkeys(host for host in (*env.words("ALLOWED_HOSTS"), *own) if host)
        redis_url = settings.get("REDIS_URL") or env.text("REDIS_URL")
        return {
            "DATABASE_URL": settings.get("DATABASE_URL") or env.text("DATABASE_URL"),
            "REDIS_URL": redis_url,
            "CELERY_BROKER_URL": settings.get("CELERY_BROKER_URL") or env.text("CELERY_BROKER_URL") or redis_url,
            "SECRET_KEY": settings["SECRET_KEY"],
            "PUBLIC_URL": public_url,
            "ALLOWED_HOSTS": ",".join(hosts),
            "TIME_SPEED": f"{self._speed():.12g}",
        }

    def _speed(self) -> float:
        if self.options.speed:
            return self.options.speed
        return DEMO_SPEED if self.options.demo else env.number("TIME_SPEED", 1.0, least=1.0)

    def _complete(self, process: Process) -> None:
        """Wait for the end of a step. Raises Stopped or Failed."""
        while process.alive:
            self._breathe()
        if process.status:
            raise Failed(f"manage.py {process.name} failed ({process.fate}):\n{process.tail()}")

    def _await_readiness(self, port: int) -> None:
        """Until /readyz answers 200. What takes long is named."""
        patient_until = time.monotonic() + PATIENCE_SECONDS
        while not (answer := readiness.ask(port)).ready:
            if time.monotonic() > patient_until:
                self.screen.say(f"Still waiting for: {', '.join(answer.missing)}; see {self.state.logs}")
                patient_until = time.monotonic() + PATIENCE_SECONDS
            self._breathe()
            self.fleet.tend(time.monotonic())
        self._phase("Ready", f"/readyz answers on port {port}")

    def _tend(self, port: int, until: Process | None = None) -> int:
        """Until somebody asks for the end (0), or `until` has ended by itself."""
        while until is None or until.alive:
            try:
                self._breathe()
            except Stopped:
                if self.options.exit:
                    raise
                return 0
            self.fleet.tend(time.monotonic())
            if time.monotonic() - self.looked_at > LOOK_SECONDS:
                self._look_after(port)
                self.looked_at = time.monotonic()
        return 0

    def _look_after(self, port: int) -> None:
        """What need not be done often: logs that have grown, processes that live but stand still."""
        for process in self.fleet.processes:
            if process.log is not None:
                rotate(process.log)
        stuck = self.silence.stuck(readiness.ask(port), time.monotonic())
        for process in self.fleet.processes:
            if process.heartbeat in stuck and time.monotonic() - process.started_at > readiness.Silence.SECONDS:
                self.screen.say(f"{process.name} stands still and is killed")
                process.kill()

    def _breathe(self) -> None:
        time.sleep(0.1)
        if self.signals:
            raise Stopped

    def _phase(self, name: str, text: str) -> None:
        self.screen.phase(name, text)

    def _show(self, port: int) -> None:
        here = f"http://{ports.LOOPBACK}:{port}"
        login = self.state.login.read_text() if self.state.login.exists() else ""
        rows = [
            ("Admin", f"{here}/admin/"),
            ("Login", login or "the one that your staff uses"),
            ("API", f"{here}/api/v1/docs/"),
            ("Logs", str(self.state.logs)),
        ]
        if env.text("EMAIL_PROVIDER", "sandbox") == "sandbox":
            rows.insert(2, ("Inbox", f"{here}/admin/delivery/sandboxmail/"))
        folder = os.path.relpath(self.state.path, env.BASE_DIR)
        closing = (
            f"State lives in {folder if not folder.startswith('..') else self.state.path}/. Ctrl-C stops everything."
        )
        self.screen.block(f"Carillon is ready after {self.screen.elapsed:.1f} s", rows, closing)


def main(arguments: Sequence[str]) -> int:
    options, screen = read_options(arguments), Screen()
    state = State(env.state_folder())
    try:
        state.lock()
    except AlreadyRunning as error:
        screen.fail(f"Carillon already runs in this folder (pid {error.pid}).")
        return 3
    except PermissionError as error:
        screen.fail(f"{error.filename} belongs to another account: was bin/up run here as root?")
        return 1
    supervisor = Supervisor(options, state, screen)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: supervisor.signals.append(number))
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
